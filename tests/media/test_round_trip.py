"""The heart of the floor: decoding a document's XML gives what decoding its JSON gives."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, fields

from glassware.api.schema import made
from glassware.media import json, xml
from glassware_archives.app import service as archives
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks

CONTROLS = "".join(chr(code) for code in range(32) if chr(code) not in "\t\n\r") + "\ufffe\uffff"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS), max_size=8)
TEXTS |= st.text(st.sampled_from(" \t\r\n<>&'\"]\\/u0é😀\x7f\x85\u2028"), max_size=8)
TEXTS |= st.sampled_from(["", "true", "null", "5", "-1.5e3", "]]>", "&amp;", "<item/>", "{}"])
NAMES = TEXTS | st.sampled_from(
    ["item", "items", "key", "1", "n1", "a b", "a_b", "xml", "name", "i"]
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS: dict[type[fields.Field[Any]], st.SearchStrategy[Any]] = {
    fields.String: TEXTS,
    fields.Integer: st.integers() | st.integers(-9, 9),
    fields.Float: NUMBERS | st.integers(),
    fields.Boolean: st.booleans(),
    fields.UUID: st.uuids(),
    fields.Date: st.dates(),
    fields.AwareDateTime: st.datetimes(timezones=st.just(UTC)),
    fields.TimeDelta: st.integers(),
    # Of one that takes anything no schema tells what an XML element holds.
    fields.Field: TEXTS,
}


class Person(Schema):
    name = fields.String()
    age = fields.Integer(allow_none=True)
    weight = fields.Float(allow_none=True)
    active = fields.Boolean(allow_none=True)


class Task(Schema):
    id = fields.UUID(dump_only=True)
    title = fields.String()
    notes = fields.String(allow_none=True)
    due_on = fields.Date(allow_none=True, data_key="due on")
    changed_at = fields.AwareDateTime()
    person = fields.Nested(Person, allow_none=True)
    labels = fields.List(fields.String())
    watchers = fields.Nested(Person, many=True)


class Page(Schema):
    items = fields.List(fields.Nested(Task))
    next = fields.String(allow_none=True)


class Grid(Schema):
    rows = fields.List(fields.List(fields.Integer(allow_none=True)))
    cubes = fields.List(fields.List(fields.List(fields.String())))
    series = fields.List(fields.List(fields.Float(), allow_none=True))


class Maps(Schema):
    texts = fields.Dict(values=fields.String())
    counts = fields.Dict(keys=fields.Integer(), values=fields.Integer(allow_none=True))
    people = fields.Dict(values=fields.Nested(Person), allow_none=True)
    lists = fields.Dict(values=fields.List(fields.Boolean()))
    deep = fields.Dict(values=fields.Dict(values=fields.Float()))


class Tree(Schema):
    name = fields.String()
    children = fields.List(fields.Nested(lambda: Tree()))


def values(field: fields.Field[Any], levels: int = 4) -> st.SearchStrategy[Any]:
    """Return what the field may hold; null and empty, which XML writes alike, never both."""
    if isinstance(field, fields.Nested):
        found = documents(field.schema, levels - 1)
    elif isinstance(field, fields.List):
        found = st.lists(values(field.inner, levels), max_size=3 if levels else 0)
    elif isinstance(field, fields.Dict):
        found = st.dictionaries(NAMES, values(field.value_field, levels), max_size=3)
    else:
        found = next(SCALARS[kind] for kind in type(field).__mro__ if kind in SCALARS)
    if not field.allow_none:
        return found
    return st.none() | found.filter(lambda value: value not in ("", [], {}))


def documents(schema: Schema, levels: int = 4) -> st.SearchStrategy[Any]:
    """Return documents with any of the schema's fields, down to so many levels of objects."""
    members = {
        field.data_key or name: values(field, levels)
        for name, field in (schema.fields.items() if levels else ())
    }
    one = st.fixed_dictionaries({}, optional=members)
    return st.lists(one, max_size=3) if schema.many else one


@st.composite
def random_fields(draw: st.DrawFn, depth: int = 3) -> fields.Field[Any]:
    nullable = draw(st.booleans())
    kind = draw(st.sampled_from([*SCALARS, fields.List, fields.Dict, fields.Nested]))
    if kind in SCALARS or depth == 0:
        return (kind if kind in SCALARS else fields.String)(allow_none=nullable)
    if kind is fields.Nested:
        many = draw(st.booleans())
        return fields.Nested(type(draw(random_schemas(depth - 1))), many=many, allow_none=nullable)
    inner = draw(random_fields(depth - 1))
    return (
        fields.List(inner, allow_none=nullable)
        if kind is fields.List
        else fields.Dict(values=inner, allow_none=nullable)
    )


@st.composite
def random_schemas(draw: st.DrawFn, depth: int = 3) -> Schema:
    names = draw(st.lists(NAMES, max_size=4, unique=True))
    members = {f"field{index}": draw(random_fields(depth)) for index, _ in enumerate(names)}
    for field, name in zip(members.values(), names, strict=True):
        field.data_key = name or None
    return Schema.from_dict(members)()


def assert_same(document: object, schema: Schema) -> None:
    from_json = json.loads(json.dumps(document))
    from_xml = xml.loads(xml.dumps(document), schema)
    assert from_xml == from_json
    assert json.dumps(from_xml) == json.dumps(from_json), "equal, but of another type or order"


def of_the_routes() -> list[Schema]:
    """Return the schemas of all bodies and answers of the suite."""
    kinds = {
        kind
        for service in (auth, tasks, archives)
        for resource in service.resources
        for name in ("body", "answers", "schema")
        if (kind := getattr(resource, name, None)) is not None
    }
    return [made(kind) for kind in sorted(kinds, key=str)]


@pytest.mark.parametrize(
    "schema",
    [Person(), Task(many=True), Page(), Grid(), Maps(), Tree(), *of_the_routes()],
    ids=lambda schema: type(schema).__name__,
)
def test_xml_gives_what_json_gives(schema):
    @given(documents(schema))
    def check(document):
        assert_same(document, schema)

    check()


@given(st.data())
def test_xml_gives_what_json_gives_for_any_schema(data):
    schema = data.draw(random_schemas())
    assert_same(data.draw(documents(schema)), schema)


@given(
    st.recursive(
        NUMBERS | st.none() | st.booleans() | TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    )
)
def test_every_document_that_json_reads_can_be_answered_in_xml(document):
    text = json.dumps(document)
    xml.loads(xml.dumps({"answer": json.loads(text)}))
