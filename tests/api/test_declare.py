"""What is declared unsafely does not boot."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from marshmallow import fields
from marshmallow.validate import Length, Range

from glassware.api import Collection, Item, Resource, Schema, exact
from glassware.api.declare import DeclarationError, endpoint, register
from glassware.auth import owner, public, scope


class Thing(Schema):
    """A thing."""

    name = fields.String(required=True)


class Base:
    """What every declaration below has unless it says otherwise."""

    path = "/things"
    schema = Thing
    policy = scope("things:read")

    def select(self, who: Any) -> None: ...


def resource(kind: type[Any], **members: Any) -> type[Any]:
    """Return a resource class with the members."""
    return type("Things", (Base, kind), {name: v for name, v in members.items() if v is not ...})


def schema(**members: Any) -> type[Any]:
    return type("S", (Schema,), members)


TEXT = fields.String(allow_none=True)
NESTED = fields.List(fields.Nested(schema(inner=TEXT)))
COUNT = fields.Integer()

REFUSED = {
    "a policy is missing": (Collection, {"policy": None}, "no policy"),
    "a method has no policy": (
        Collection,
        {"policy": {"GET": scope("r")}, "create": lambda *_: None},
        "POST has no policy",
    ),
    "a policy is a bare text": (Collection, {"policy": {"GET": "everybody"}}, "GET has no policy"),
    "an owner of a listing": (Collection, {"policy": owner("x")}, "there is no item"),
    "an owner hidden in a listing's policy": (
        Collection,
        {"policy": scope("r") & (owner("x") | scope("admin"))},
        "there is no item",
    ),
    "an owner of a plain resource": (
        Resource,
        {"policy": owner("x"), "get": lambda *_: None},
        "there is no item",
    ),
    "an unknown filter": (Collection, {"filters": {"nope": exact}}, "nope"),
    "an unknown sort": (Collection, {"sorts": ("name", "nope")}, "nope"),
    "a path without its slash": (Item, {"path": "things"}, "no path"),
    "no schema of a listing": (Collection, {"schema": None}, "no schema"),
    "no schema of an item": (Item, {"schema": None}, "no schema"),
    "a nullable text": (Item, {"schema": schema(name=TEXT)}, "S.name takes null"),
    "a nullable text inside": (Item, {"schema": schema(list=NESTED)}, "S.inner takes null"),
    "a nullable text in the body": (
        Resource,
        {"body": schema(name=TEXT), "post": lambda *_: None},
        "takes null",
    ),
    "a nullable text in the answer": (
        Resource,
        {"answers": schema(name=TEXT), "get": lambda *_: None},
        "takes null",
    ),
    "a number without bounds": (Item, {"schema": schema(count=COUNT)}, "S.count takes any"),
    "a number with half a bound": (
        Item,
        {"schema": schema(count=fields.Integer(validate=Range(min=0)))},
        "S.count takes any",
    ),
    "a filter by a number without bounds": (
        Collection,
        {"schema": schema(n=fields.Integer(dump_only=True)), "filters": {"n": exact}},
        "it filters by n",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_service_does_not_boot_with(case: str) -> None:
    kind, members, words = REFUSED[case]
    with pytest.raises(DeclarationError, match=f"^Things: .*{words}"):
        register(Flask("x"), (resource(kind, **members),))


def test_a_resource_without_methods_does_not_boot() -> None:
    class Nothing(Resource):
        path = "/nothing"
        policy = public("nothing")

    with pytest.raises(DeclarationError, match="no method"):
        register(Flask("x"), (Nothing,))


def test_what_is_safe_boots() -> None:
    safe = schema(
        name=fields.String(allow_none=True, validate=Length(min=1)),
        count=fields.Integer(validate=Range(0, 9)),
        text=fields.String(),
        mail=fields.Email(allow_none=True),
        shown=fields.String(allow_none=True, dump_only=True),
        total=fields.Integer(dump_only=True),
    )
    app = Flask("x")
    things = resource(Collection, schema=safe, filters={"name": exact}, sorts=("count",))
    register(app, (things,))
    assert [rule.rule for rule in app.url_map.iter_rules("things")] == ["/things"]


def test_a_method_exists_when_its_hook_does() -> None:
    changing = resource(Item, path="/things/<uuid:id>", change=lambda *_: None)
    assert changing.methods == {"GET", "PUT", "PATCH"}
    assert resource(Item, remove=lambda *_: None).methods == {"GET", "DELETE"}
    assert resource(Collection, create=lambda *_: None).methods == {"GET", "POST"}
    assert resource(Collection).methods == {"GET"}


def test_a_public_policy_cannot_be_weakened_by_combining_it() -> None:
    for combine in (lambda p, q: p | q, lambda p, q: p & q):
        for pair in ((public("x"), scope("y")), (scope("y"), public("x"))):
            with pytest.raises(ValueError, match="combined"):
                combine(*pair)


def test_endpoints_are_named_after_the_class() -> None:
    for name, expected in {"TaskList": "task_list", "Task": "task", "JWKSet": "jwkset"}.items():
        assert endpoint(type(name, (Resource,), {})) == expected


def test_two_resources_of_one_name_do_not_boot() -> None:
    first, second = resource(Collection), resource(Collection, path="/others")
    with pytest.raises(ValueError, match="already set"):
        register(Flask("x"), (first, second))
