"""Reading XML: shapes and types come from the schema, never from the document."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from marshmallow import Schema, fields

from glassware.media import json
from glassware.media.xml.tree import Element, parse

Field = fields.Field[Any]
Reader = Callable[[Element], object]
BOOLEANS = {"true": True, "false": False}


def loads(body: bytes, schema: Schema | None = None) -> object:
    """Read a document, whatever its root is called, into what its JSON would give.

    By the schema's fields, before it validates: a List's children are its items whatever they are
    called, numbers and booleans are read as JSON reads them, an empty element is None where the
    field allows None. What does not fit is left as it is (a dict, or text), and so is what the
    schema does not know, for the schema to refuse in its own words. Without a schema, or where it
    says nothing, several children of one name are a list, others a dict.

    Raises MalformedBodyProblem, also for a name twice in an object.
    """
    root = parse(body)
    return untyped(root) if schema is None else shape(schema)(root)


def shape(schema: Schema) -> Reader:
    """Return the reader of an object of the schema, or of a list of them."""
    known = {
        field.data_key or name: field
        for name, field in [*schema.dump_fields.items(), *schema.load_fields.items()]
    }
    item = partial(members, known.get)
    return partial(items, item) if schema.many else item


def items(item: Reader, element: Element) -> object:
    return element.text if element.is_text else [item(child) for child in element.children]


def members(field_of: Callable[[str], Field | None], element: Element) -> object:
    if element.is_text:
        return element.text
    found: dict[str, object] = {}
    for child in element.children:
        if child.name in found:
            raise child.refused("occurs twice in one element; send it once.")
        found[child.name] = by_field(field_of(child.name), child)
    return found


def untyped(element: Element) -> object:
    if not element.children:
        return element.text
    names = {child.name for child in element.children}
    if len(names) == 1 < len(element.children):
        return items(untyped, element)
    return members(lambda _: None, element)


def by_field(field: Field | None, element: Element) -> object:
    if field is None:
        return untyped(element)
    reader = next(READERS[kind] for kind in type(field).__mro__ if kind in READERS)
    return reader(field, element)


def nested(field: fields.Nested, element: Element) -> object:
    return nullable(field, shape(field.schema), element)


def listed(field: fields.List[Any], element: Element) -> object:
    return nullable(field, partial(items, partial(by_field, field.inner)), element)


def mapped(field: fields.Mapping[Any], element: Element) -> object:
    return nullable(field, partial(members, lambda _: field.value_field), element)


def nullable(field: Field, reader: Reader, element: Element) -> object:
    return None if element.is_blank and field.allow_none else reader(element)


def boolean(field: Field, element: Element) -> object:
    return BOOLEANS[element.text] if element.text in BOOLEANS else scalar(field, element)


def number(field: Field, element: Element) -> object:
    value = json.number(element.text)
    as_text = isinstance(value, str) or getattr(field, "as_string", False)
    return scalar(field, element) if as_text else value


def scalar(field: Field, element: Element) -> object:
    if element.children:
        return untyped(element)
    return None if field.allow_none and not element.text else element.text


#: By the nearest class of a field.
READERS: dict[type, Callable[[Any, Element], object]] = {
    fields.Nested: nested,
    fields.List: listed,
    fields.Mapping: mapped,
    fields.Boolean: boolean,
    fields.Number: number,
    fields.TimeDelta: number,
    fields.Field: scalar,
}
