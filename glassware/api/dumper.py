"""Dumps compiled from schemas: the document that ``schema.dump`` makes, without its loop.

marshmallow asks each field of each item what to do; here that is asked once for a schema, and a
function is written that does it. A schema with a field of a kind that is not known here, or with
hooks, is dumped by marshmallow itself, which stays the oracle of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

from flask_marshmallow import Schema
from marshmallow import fields

from glassware.api.runtime import Runtime
from glassware.api.schema import Instant, Link, Relation

Dump = Callable[[Any, str], dict[str, Any]]

#: How a value ``v`` that is not None is written.
EXPRESSIONS: dict[type[Any], str] = {
    fields.String: "str(v)",
    fields.UUID: "str(v)",
    fields.Integer: "int(v)",
    fields.Boolean: "bool(v)",
    Instant: "(v if v.tzinfo is UTC else v.astimezone(UTC)).isoformat().replace('+00:00', 'Z')",
}

#: The same for a row in which UUIDs and moments are texts already.
OF_TEXTS: dict[type[Any], str] = {**EXPRESSIONS, Instant: "v"}


def compiled(
    schema: Schema,
    columns: Iterable[str],
    runtime: Runtime,
    paths: dict[str, str],
    expressions: Mapping[type[Any], str] = EXPRESSIONS,
) -> Dump | None:
    """Return a function of a row and the service's URL, None where the schema is not that simple.

    ``columns`` are the attributes that every row has; ``paths`` maps the endpoint of an item to
    the part of its path before the id; ``expressions`` say how a value is written, by field.
    """
    if any(schema._hooks.values()):
        return None
    known = frozenset(columns)
    places: dict[str, Any] = {"UTC": UTC}
    members: list[str] = []
    for name, field in schema.dump_fields.items():
        attribute = attribute_of(name, field)
        expression = None
        if attribute in known:
            place = f"prefix_{len(members)}"
            expression = member(field, attribute, place, places, runtime, paths, expressions)
        if expression is None:
            return None
        members.append(f"{(field.data_key or name)!r}: {expression}")
    source = f"lambda row, base: {{{', '.join(members)}}}"
    dump: Dump = eval(source, places)  # noqa: S307 - made of the declared names only
    return dump


def shows_text(field: fields.Field[Any]) -> bool:
    """Whether the field writes a UUID or a moment as it does the text of one."""
    return type(field) in (Link, Relation, Instant, fields.UUID)


def attribute_of(name: str, field: fields.Field[Any]) -> str:
    if isinstance(field, Link):
        return field.item_attribute
    return field.attribute or name


def member(
    field: fields.Field[Any],
    attribute: str,
    place: str,
    places: dict[str, Any],
    runtime: Runtime,
    paths: dict[str, str],
    expressions: Mapping[type[Any], str],
) -> str | None:
    """Return the expression of one field, None for a kind that is not known."""
    if type(field) is Link:
        if field.endpoint not in paths:
            return None
        places[place] = paths[field.endpoint]
        return f"f'{{base}}{{{place}}}{{row.{attribute}}}'"
    if type(field) is Relation:
        places[place] = field.prefix_in(runtime)
        written = f"f'{{{place}}}{{v}}'"
    else:
        known = expressions.get(type(field))
        if known is None:
            return None
        written = known
    return f"None if (v := row.{attribute}) is None else {written}"


def dump_all(dump: Dump, rows: Sequence[Any], base: str) -> list[dict[str, Any]]:
    return [dump(row, base) for row in rows]
