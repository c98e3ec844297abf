"""Marshmallow's schemas as JSON Schema: given out, taken in, patched."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from marshmallow import EXCLUDE, fields
from marshmallow.validate import Length, NoneOf, OneOf, Range, Regexp

from glassware.api import Instant, Schema
from glassware.openapi.schema import IN, OUT, PATCH, Converter, ecma


class PartSchema(Schema):
    """A part."""

    name = fields.String(required=True, validate=Length(1, 9))
    secret = fields.String(load_only=True)


class WholeSchema(Schema):
    """A whole, which may hold itself."""

    id = fields.UUID(dump_only=True)
    code = fields.String(
        required=True, validate=[Regexp(r"[a-z]+\Z"), Regexp(r"[^x]*\Z"), NoneOf(["root"])]
    )
    kind = fields.String(load_default="a", validate=OneOf(["a", "b"]))
    count = fields.Integer(data_key="number", strict=True, validate=Range(2, 7))
    due_to = Instant(allow_none=True, load_default=None)
    entries = fields.List(fields.Nested(PartSchema), validate=Length(max=3))
    inner = fields.Nested(lambda: WholeSchema(), allow_none=True)
    names = fields.Nested(PartSchema(only=("name",)))
    flags = fields.Dict(keys=fields.String(), values=fields.Boolean())


class LooseSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    a = fields.String()


@pytest.fixture
def converter() -> Any:
    with Flask(__name__).app_context():
        yield Converter("http://127.0.0.1")


def described(converter: Converter, way: Any) -> Any:
    node = converter.refer(WholeSchema(), way)
    return converter.components[node["$ref"].rpartition("/")[2]]


def test_each_way_has_its_own_members(converter: Converter) -> None:
    out, taken, patch = (described(converter, way) for way in (OUT, IN, PATCH))
    assert set(out["properties"]) - set(taken["properties"]) == {"id"}
    assert set(taken["properties"]) == set(patch["properties"])
    assert "number" in taken["properties"]
    assert taken["required"] == ["code"]
    assert "required" not in out
    assert "required" not in patch
    assert taken["additionalProperties"] is False
    assert "additionalProperties" not in out
    assert "secret" not in converter.components["Part"]["properties"]
    assert "secret" in converter.components["PartInput"]["properties"]


def test_what_validates_is_told(converter: Converter) -> None:
    members = described(converter, IN)["properties"]
    assert members["code"]["allOf"] == [{"pattern": "^[a-z]+$"}, {"pattern": "^[^x]*$"}]
    assert members["code"]["not"] == {"enum": ["root"]}
    assert (members["kind"]["enum"], members["kind"]["default"]) == (["a", "b"], "a")
    assert (members["number"]["minimum"], members["number"]["maximum"]) == (2, 7)
    assert members["due_to"]["type"] == ["string", "null"]
    assert members["entries"]["maxItems"] == 3
    assert members["inner"]["anyOf"][0] == {"$ref": "#/components/schemas/WholeInput"}
    assert set(members["names"]["properties"]) == {"name"}


def test_a_patch_may_take_any_member_away_and_defaults_nothing(converter: Converter) -> None:
    members = described(converter, PATCH)["properties"]
    assert members["code"]["type"] == ["string", "null"]
    assert "default" not in members["kind"]


def test_a_patch_replaces_a_list_as_a_whole_and_changes_what_it_nests(converter: Converter) -> None:
    members = described(converter, PATCH)["properties"]
    assert members["entries"]["items"]["$ref"] == "#/components/schemas/PartInput"
    assert members["inner"]["anyOf"][0]["$ref"] == "#/components/schemas/WholePatch"


def test_a_schema_that_ignores_the_unknown_says_so(converter: Converter) -> None:
    converter.refer(LooseSchema(), IN)
    assert "additionalProperties" not in converter.components["LooseInput"]


def test_schemas_of_one_name_do_not_become_one(converter: Converter) -> None:
    other = type("PartSchema", (Schema,), {"size": fields.Integer()})
    first, second = converter.refer(PartSchema(), OUT), converter.refer(other(), OUT)
    assert first != second
    assert converter.refer(PartSchema(), OUT) == first


@pytest.mark.parametrize("way", [OUT, IN, PATCH])
def test_the_example_is_valid(converter: Converter, way: Any) -> None:
    node = described(converter, way)
    schema = {**node, "components": {"schemas": converter.components}}
    (example,) = node["examples"]
    Draft202012Validator(schema).validate(example)
    assert example["entries"][0]["name"] == "Name"


@pytest.mark.parametrize(
    ("python", "javascript"),
    [(r"a\Z", "^a$"), ("a|b", "^(?:a|b)"), (r"[\x00-\x1f]*\Z", r"^[\x00-\x1f]*$")],
)
def test_patterns_are_anchored_as_marshmallow_anchors_them(python: str, javascript: str) -> None:
    assert ecma(python) == javascript
