"""A provider, and a consumer that reads some of what it answers."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from marshmallow import fields
from marshmallow.validate import Length, Range

from glassware.api import Resource, Schema, sibling
from glassware.auth import public, scope
from glassware.problems import InvalidProblem, NotFoundProblem, UpstreamProblem
from glassware.service import Service

NOBODY = UUID(int=0)


class PhoneSchema(Schema):
    """A telephone."""

    number = fields.String()
    kind = fields.String()


class PlaceSchema(Schema):
    """Where somebody lives."""

    city = fields.String()
    street = fields.String()


class PersonSchema(Schema):
    """Somebody."""

    name = fields.String()
    born = fields.Integer(validate=Range(1900, 2100))
    note = fields.String(allow_none=True, validate=Length(min=1))
    place = fields.Nested(PlaceSchema)
    work = fields.Nested(PlaceSchema)
    phones = fields.List(fields.Nested(PhoneSchema))
    tags = fields.List(fields.String())


PERSON = {
    "name": "Ann",
    "born": 1990,
    "note": None,
    "place": {"city": "Here", "street": "Main"},
    "work": {"city": "There", "street": "Side"},
    "phones": [{"number": "1", "kind": "home"}, {"number": "2", "kind": "work"}],
    "tags": ["a"],
}


class Person(Resource):
    """One person."""

    path = "/persons/<uuid:id>"
    policy = scope("people:read")
    answers = PersonSchema

    def get(self, who: Any, id: UUID) -> Any:
        if id == NOBODY:
            raise NotFoundProblem("There is nobody.")
        return PERSON


class Note(Resource):
    """A remark on somebody."""

    path = "/persons/<uuid:id>/notes"
    policy = public("a test")
    body = PlaceSchema
    parameters = frozenset({"cursor", "limit"})

    def post(self, who: Any, data: Any, id: UUID) -> Any:
        if data["street"] != f"/persons/{id}":
            raise InvalidProblem("It is somebody else's.")
        return {"made": True, "unread": 1}, 201


class Card(Resource):
    """What the consumer makes of a person."""

    path = "/cards/<uuid:id>"
    policy = scope("people:read")

    def get(self, who: Any, id: UUID) -> Any:
        people = sibling("people")
        try:
            person = people.get(f"/persons/{id}")
        except UpstreamProblem:
            return {"name": "nobody"}
        numbers = [phone["number"] for phone in person["phones"]]
        body = {"city": person["place"]["city"], "street": f"/persons/{id}"}
        noted = people.post(f"/persons/{id}/notes?limit=1&cursor={uuid4().hex}", json=body)
        return {
            "name": person["name"],
            "numbers": numbers,
            "note": person.get("note"),
            "place": person["place"]["city"],
            "noted": noted["made"],
        }


READ = {
    "/name",
    "/note",
    "/place",
    "/place/city",
    "/phones",
    "/phones/*/number",
}
URL = "http://127.0.0.1:7000"
provider = Service("people", package="glassware", resources=(Person, Note))
consumer = Service("cards", package="glassware", resources=(Card,), siblings={"people": URL})
