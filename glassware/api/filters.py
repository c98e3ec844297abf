"""Typed filters and sparse fields: ``?done=true&due_to[lt]=2026-12-01T00:00:00Z&fields=title``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask_marshmallow import Schema
from marshmallow import ValidationError, fields
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from glassware.api.schema import made
from glassware.media import json
from glassware.problems import InvalidParameterProblem

Column = InstrumentedAttribute[Any]
#: The operators of a filter: ``""`` is the plain ``?name=value``.
Filter = Mapping[str, Callable[[Column, Any], ColumnElement[bool]]]

exact: Filter = {"": lambda column, value: column == value}
range_: Filter = {
    **exact,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
}
contains: Filter = {
    **exact,
    "contains": lambda column, value: column.icontains(value, autoescape=True),
}

#: What an operator asks for, in words.
MEANINGS = {
    "": "`{name}` is this.",
    "lt": "`{name}` is less than this, or earlier.",
    "lte": "`{name}` is this at most.",
    "gt": "`{name}` is greater than this, or later.",
    "gte": "`{name}` is this at least.",
    "contains": "`{name}` holds this text, in any case.",
}


def parameter_names(filters: Mapping[str, Filter]) -> Iterator[str]:
    """Yield the query parameters that the filters answer to."""
    for name, operators in filters.items():
        for operator in operators:
            yield f"{name}[{operator}]" if operator else name


def column_of(model: Any, schema: Schema, name: str) -> Column:
    """Return the model's column behind a field of the schema."""
    column: Column = getattr(model, schema.fields[name].attribute or name)
    return column


def values(
    args: Mapping[str, str], filters: Mapping[str, Filter], schema: Schema
) -> dict[str, Any]:
    """Return the values that the query asks for by parameter, read by the field of their name.

    Raises InvalidParameterProblem for a value that the field refuses.
    """
    return {
        parameter: read(schema, parameter.partition("[")[0], parameter, args[parameter])
        for parameter in parameter_names(filters)
        if parameter in args
    }


def conditions(
    values: Mapping[str, Any], filters: Mapping[str, Filter], schema: Schema, model: Any
) -> list[ColumnElement[bool]]:
    """Return the conditions for the values, which may be parameters of the statement."""
    found = []
    for parameter, value in values.items():
        name, _, operator = parameter.rstrip("]").partition("[")
        found.append(filters[name][operator](column_of(model, schema, name), value))
    return found


def read(schema: Schema, name: str, parameter: str, text: str) -> Any:
    field = schema.fields[name]
    try:
        return field.deserialize(json.number(text) if isinstance(field, fields.Number) else text)
    except ValidationError as error:
        messages = [str(message) for message in error.messages]
        raise InvalidParameterProblem(
            f"The parameter {parameter!r} has a value that it cannot take.",
            errors={parameter: messages},
        ) from None


def chosen_fields(schema: type[Schema], names: str | None) -> frozenset[str] | None:
    """Return the names in ``?fields=a,b``, None for all. Raises InvalidParameterProblem."""
    if names is None:
        return None
    known = set(made(schema).dump_fields)
    chosen = frozenset(names.split(","))
    unknown = sorted(chosen - known)
    if unknown:
        raise InvalidParameterProblem(
            f"There is no field {unknown[0][:100]!r} here.",
            errors={"fields": [f"Known fields: {', '.join(sorted(known))}."]},
        )
    return chosen
