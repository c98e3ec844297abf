"""What is loaded quickly is what marshmallow loads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import EXCLUDE, INCLUDE, Schema, ValidationError, fields, post_load, validates
from marshmallow.validate import Length, OneOf, Range

from glassware.api import Instant
from glassware.api.loader import quick
from glassware_auth.schemas import ClientSchema, RegistrationSchema, TokenRequestSchema


class Inner(Schema):
    here = fields.Integer(required=True)


class Everything(Schema):
    """A field of every kind."""

    text = fields.String(required=True, validate=[Length(1, 3), OneOf(["a", "b", "Zoë"])])
    named = fields.String(data_key="Name", attribute="other", allow_none=True)
    whole = fields.Integer(validate=Range(0, 9), load_default=lambda: 3)
    strict = fields.Integer(strict=True, load_default=None)
    yes = fields.Boolean(load_default=False)
    odd = fields.Boolean(truthy={"ja"}, falsy={"nein"})
    address, url = fields.Email(), fields.Url()
    moment, identifier, real = Instant(allow_none=True), fields.UUID(), fields.Float()
    many = fields.List(fields.String(validate=Length(max=2)))
    inner = fields.Nested(Inner)
    turned = fields.String(post_load=str.upper)
    shown = fields.String(dump_only=True)


class Careless(Everything):
    class Meta:
        unknown = EXCLUDE


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 12),
    st.floats(allow_nan=False),
    st.text(max_size=4),
    st.sampled_from(
        [
            *("a", "b", "Zoë", "ja", "nein", "yes", "5", "a@example.com", "http://example.com/"),
            *("2026-12-24T18:00:00Z", "2026-12-24", "0194d3c8-0000-7000-8000-000000000000"),
            *("report-maker", "a long enough password", "tasks:read", "client_credentials"),
            *(["a", "b"], ["abc"], {"here": 1}, {"here": "x"}, {}, ["tasks:read"]),
        ]
    ),
)
SCHEMAS = [
    *(Everything(), Careless(), Everything(only=("text", "yes"))),
    *(ClientSchema(), RegistrationSchema(), TokenRequestSchema()),
]


@st.composite
def documents(draw: st.DrawFn, schema: Schema) -> Any:
    names = [field.data_key or name for name, field in schema.fields.items()] + ["unknown"]
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=6))
    required = [name for name, field in schema.load_fields.items() if field.required]
    given = {name: draw(values) for name in [*chosen, *required]}
    return draw(st.one_of(st.just(given), st.just(given), values))


@given(st.data(), st.sampled_from(SCHEMAS))
def test_a_document_is_loaded_as_marshmallow_loads_it_or_left_to_it(
    data: st.DataObject, schema: Schema
) -> None:
    document, load = data.draw(documents(schema)), quick(schema)
    assert load is not None
    try:
        wanted = schema.load(document)
    except ValidationError:
        with pytest.raises(ValidationError):
            load(document)
    else:
        found = load(document)
        assert found == wanted
        assert [*map(type, found.values())] == [*map(type, wanted.values())]
        assert list(found) == list(wanted)


def test_a_schema_with_ways_of_its_own_is_left_to_marshmallow() -> None:
    class Hooked(Schema):
        name = fields.String()

        @post_load
        def turn(self, data: Any, **_: Any) -> Any:
            return [data]

    class Checked(Schema):
        name = fields.String()

        @validates("name")
        def check(self, value: str, **_: Any) -> None:
            raise ValidationError("never")

    class Deep(Schema):
        name = fields.String(attribute="a.b")

    class Loading(Schema):
        def load(self, data: Any, **_: Any) -> Any:
            return data

    odd = [Hooked(), Checked(), Deep(), Loading(), Inner(many=True), Inner(partial=True)]
    assert [quick(each) for each in [*odd, Inner(unknown=INCLUDE)]] == [None] * 7
