"""Fast reads: a statement for each kind of caller, and the writer of its rows, built once.

What a caller may see depends on them in two ways only: by their scopes, and by whose rows are
theirs. So ``select`` is asked once for a set of scopes, with a stand-in whose ``user_id`` is a
parameter. A ``select`` that wants to know more of the caller makes the stand-in fail; there is no
fast read of it then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from flask import Flask
from flask_marshmallow import Schema
from sqlalchemy import Select, Uuid, bindparam, inspect

from glassware.api.runtime import Runtime
from glassware.api.writer import JSON_FORM, Write, Writer, attribute_of, texts, writes, xml_form
from glassware.auth import Principal
from glassware.db.prepared import Prepared, Process, processors

CALLER = "caller_user_id"


class StandIn:
    """A caller of whom only the scopes are known; ``user_id`` is a parameter of the statement."""

    def __init__(self, scopes: frozenset[str]) -> None:
        self.scopes = scopes
        self.user_id: Any = bindparam(CALLER, type_=Uuid())

    def may(self, scope: str) -> bool:
        return scope in self.scopes


class Reading(NamedTuple):
    """A statement of columns, what writes its rows, and where to find what was asked for beside.

    ``marks`` are the places of that, with what makes of the driver's value a text or Python's.
    """

    prepared: Prepared
    as_json: Write
    as_xml: Write
    marks: Sequence[tuple[int, Process | None]]

    def beside(self, row: Sequence[Any]) -> list[Any]:
        """Return what was asked for beside the fields, of a row as the driver gives it."""
        return [step(row[place]) if step else row[place] for place, step in self.marks]


def reading(
    app: Flask,
    here: Runtime,
    scopes: frozenset[str],
    select: Callable[[Principal], Select[Any]],
    schema: Schema,
    beside: Sequence[str],
    root: str = "response",
) -> Reading:
    """Return the fast read for callers of these scopes, and the columns that it gives ``beside``.

    Raises LookupError, or what else ``select`` raises for a caller of whom little is known.
    """
    statement = select(cast("Principal", StandIn(scopes)))
    columns = shown(statement.column_descriptions[0]["entity"], schema, beside)
    dialect = here.database.engine.dialect if here.database else None
    if dialect is None:
        raise LookupError("there is no database")
    as_text = texts(dialect)
    writer = Writer(schema, columns, as_text, item_paths(app), here)
    asked = [as_text.asked.get(type(each.type), same)(each) for each in columns.values()]
    names = list(columns)
    steps = {
        name: writes(as_text, columns[name].type) or processors([columns[name]], dialect)[0]
        for name in beside
    }
    return Reading(
        Prepared(statement.with_only_columns(*asked), dialect),
        writer.compiled(JSON_FORM),
        writer.compiled(xml_form(root)),
        [(names.index(name), step) for name, step in steps.items()],
    )


def same(column: Any) -> Any:
    return column


def shown(model: type[Any], schema: Schema, more: Sequence[str] = ()) -> dict[str, Any]:
    """Return the columns that the schema shows, and some more, by their attributes.

    Raises LookupError where it shows something else.
    """
    known = {each.key for each in inspect(model).column_attrs}
    names = dict.fromkeys([*(attribute_of(*pair) for pair in schema.dump_fields.items()), *more])
    if not known.issuperset(names):
        raise LookupError("not every field is a column")
    return {name: getattr(model, name) for name in names}


def item_paths(app: Flask) -> Mapping[str, str]:
    """Return, for each endpoint whose only variable is an id at the end, the path before it."""
    found = {}
    for rule in app.url_map.iter_rules():
        before, variable, after = rule.rule.partition("<uuid:id>")
        if variable and not after and "<" not in before:
            found[rule.endpoint] = before
    return found
