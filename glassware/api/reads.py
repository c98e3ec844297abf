"""Fast reads: statements built once for each kind of caller, and columns in place of entities.

A listing's statement depends on the caller in two ways only: by what their scopes let them see,
and by whose rows are theirs. So ``select`` is asked once for a set of scopes, with a stand-in whose
``user_id`` is a parameter, and its statement is kept. A ``select`` that wants to know more of the
caller makes the stand-in fail, and is then asked for every request, as it would be without this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from flask import current_app
from flask_marshmallow import Schema
from sqlalchemy import Select, Uuid, bindparam, inspect
from sqlalchemy.exc import ArgumentError

from glassware.api.dumper import EXPRESSIONS, OF_TEXTS, Dump, attribute_of, compiled, shows_text
from glassware.api.runtime import Runtime, database, mount_url, runtime
from glassware.auth import Principal
from glassware.db.texts import as_text

Build = Callable[[Principal], Select[Any]]
#: Statements kept by an app; their number is bounded by scopes, sorts and filters in use.
CAPACITY = 2_000
CALLER = "caller_user_id"


class StandIn:
    """A caller of whom only the scopes are known; ``user_id`` is a parameter of the statement."""

    def __init__(self, scopes: frozenset[str]) -> None:
        self.scopes = scopes
        self.user_id: Any = bindparam(CALLER, type_=Uuid())

    def may(self, scope: str) -> bool:
        return scope in self.scopes


class Reading(NamedTuple):
    """A statement of entities, the same of columns, and the function that dumps its rows."""

    entities: Select[Any]
    columns: Select[Any]
    dump: Dump


def reading(key: Any, who: Principal, schema: Schema, build: Build) -> Reading | None:
    """Return what is kept under the key for callers of these scopes, made at first need.

    None where statement or schema do not lend themselves to it, or ``fast.reads`` is off.
    """
    here = runtime()
    if not here.config["fast.reads"]:
        return None
    kept = here.readings
    key = (key, who.scopes)
    if key not in kept:
        if len(kept) >= CAPACITY:
            kept.clear()
        kept[key] = prepare(StandIn(who.scopes), schema, build, here)
    found: Reading | None = kept[key]
    return found


def dump(schema: Schema, item: Any) -> dict[str, Any]:
    """Return the document of an item, by the compiled dump where the schema has one."""
    here = runtime()
    if not here.config["fast.reads"]:
        return cast("dict[str, Any]", schema.dump(item))
    kept, key = here.readings, ("dump", schema, type(item))
    if key not in kept:
        kept[key] = dumper(type(item), schema, here)
    found: Dump = kept[key] or (lambda item, _base: schema.dump(item))
    return found(item, mount_url())


def dumper(
    model: Any,
    schema: Schema,
    runtime: Runtime,
    expressions: Mapping[type[Any], str] = EXPRESSIONS,
) -> Dump | None:
    names = [attribute.key for attribute in inspect(model).column_attrs]
    return compiled(schema, names, runtime, item_paths(), expressions)


def prepare(caller: StandIn, schema: Schema, build: Build, runtime: Runtime) -> Reading | None:
    try:
        statement = build(cast("Principal", caller))
    except (AttributeError, TypeError, ArgumentError):
        return None
    model = statement.column_descriptions[0]["entity"]
    columns = {each.key: getattr(model, each.key) for each in inspect(model).column_attrs}
    texts = {name: as_text(column) for name, column in columns.items()}
    others = {attribute_of(*pair) for pair in schema.dump_fields.items() if not shows_text(pair[1])}
    if any(texts.get(name) is not columns.get(name) for name in others):
        dump = dumper(model, schema, runtime)
    else:
        dump, columns = dumper(model, schema, runtime, OF_TEXTS), texts
    if dump is None:
        return None
    return Reading(statement, statement.with_only_columns(*columns.values()), dump)


def item_paths() -> dict[str, str]:
    """Return, for each endpoint whose only variable is an id at the end, the path before it."""
    found = {}
    for rule in current_app.url_map.iter_rules():
        before, variable, after = rule.rule.partition("<uuid:id>")
        if variable and not after and "<" not in before:
            found[rule.endpoint] = before
    return found


def rows(reading: Reading, who: Principal, values: Mapping[str, Any]) -> Sequence[Any]:
    """Return the rows that the caller may see; ``values`` are the statement's other parameters."""
    return database().read(reading.columns, {CALLER: who.user_id, **values})


def entity(reading: Reading, who: Principal, values: Mapping[str, Any]) -> Any:
    """Return the first entity that the caller may see, in the session; None where there is none."""
    return database().session.scalar(reading.entities, {CALLER: who.user_id, **values})
