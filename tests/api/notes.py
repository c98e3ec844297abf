"""A service of notes, made of everything that the chassis offers."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from flask import Response, abort
from hypothesis import strategies as st
from marshmallow import fields
from marshmallow.validate import Length, Range
from sqlalchemy import JSON, ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.exceptions import HTTPException, default_exceptions

from glassware.api import (
    Collection,
    Instant,
    Item,
    Link,
    Resource,
    Schema,
    contains,
    exact,
    range_,
)
from glassware.auth import authenticated, owner, public, scope
from glassware.db import Database, Row
from glassware.db import Instant as InstantColumn
from glassware.service import Service

db = Database(pool_timeout=0.1)
SCOPES = "notes:read notes:write"


class NoteRow(Row, db.Model):
    """A row with a column of each kind, most of them nullable."""

    __tablename__ = "notes"

    owner_id: Mapped[UUID]
    text: Mapped[str] = mapped_column(String(200))
    label: Mapped[str | None] = mapped_column(String(20))
    code: Mapped[str | None] = mapped_column(String(20), unique=True)
    stars: Mapped[int | None]
    weight: Mapped[float | None]
    due: Mapped[datetime | None] = mapped_column(InstantColumn)
    done: Mapped[bool]
    tags: Mapped[list[str]] = mapped_column(JSON)
    place: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    extra: Mapped[dict[str, str]] = mapped_column(JSON)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("notes.id"))


class PlaceSchema(Schema):
    """A nested document."""

    name = fields.String(required=True, validate=Length(min=1, max=50))
    height = fields.Float(allow_none=True, load_default=None)


class NoteSchema(Schema):
    """A field of each kind."""

    url = Link("note")
    text = fields.String(required=True, validate=Length(min=1, max=200))
    label = fields.String(allow_none=True, load_default=None, validate=Length(min=1, max=20))
    code = fields.String(allow_none=True, load_default=None, validate=Length(min=1, max=20))
    stars = fields.Integer(
        strict=True, allow_none=True, load_default=None, validate=Range(-(2**53), 2**53)
    )
    weight = fields.Float(allow_none=True, load_default=None)
    due = Instant(allow_none=True, load_default=None)
    done = fields.Boolean(load_default=False)
    tags = fields.List(
        fields.String(validate=Length(min=1, max=20)), load_default=list, validate=Length(max=5)
    )
    place = fields.Nested(PlaceSchema, allow_none=True, load_default=None)
    extra = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    created_at = Instant(dump_only=True)


def own(who: Any) -> Any:
    return select(NoteRow).where(NoteRow.owner_id == who.user_id)


class NoteList(Collection):
    """The caller's notes."""

    path = "/notes"
    schema = NoteSchema
    policy = {"GET": scope("notes:read"), "POST": scope("notes:write")}
    filters = {
        "text": contains,
        "label": contains,
        "code": exact,
        "stars": range_,
        "weight": range_,
        "due": range_,
        "done": exact,
    }
    sorts = ("text", "label", "stars", "weight", "due", "done", "created_at")

    def select(self, who: Any) -> Any:
        return own(who)

    def create(self, who: Any, data: dict[str, Any]) -> NoteRow:
        note = NoteRow(owner_id=UUID(who.subject), **data)
        db.session.add(note)
        return note


MINE = scope("notes:read") & (owner("owner_id") | scope("notes:admin"))


class Note(Item):
    """Anybody's note; the policy alone decides who may know of it."""

    path = "/notes/<uuid:id>"
    schema = NoteSchema
    policy = {
        "GET": MINE,
        "PUT": MINE & scope("notes:write"),
        "PATCH": MINE & scope("notes:write"),
        "DELETE": MINE & scope("notes:write"),
    }

    def select(self, who: Any) -> Any:
        return select(NoteRow)

    def change(self, who: Any, note: NoteRow, data: dict[str, Any]) -> None:
        for name, value in data.items():
            setattr(note, name, value)

    def remove(self, who: Any, note: NoteRow) -> None:
        db.session.delete(note)


class SumSchema(Schema):
    """What is to be added, and the sum."""

    numbers = fields.List(fields.Integer(validate=Range(-1000, 1000)), required=True)
    sum = fields.Integer(dump_only=True)


class Sum(Resource):
    """A resource that is neither a listing nor an item."""

    path = "/sum"
    policy = authenticated()
    body = SumSchema
    answers = SumSchema
    parameters = frozenset({"how"})

    def post(self, who: Any, data: dict[str, Any]) -> Any:
        return {**data, "sum": sum(data["numbers"])}, 201, {"X-Added": "yes"}

    def delete(self, who: Any) -> None:
        """Answer nothing."""


class Bytes(Resource):
    """A resource that makes its whole response itself."""

    path = "/bytes"
    makes = ("application/octet-stream",)
    policy = public("nothing to hide")

    def get(self, who: Any) -> Response:
        return Response(iter([b"\0\1", b"\2"]), mimetype="application/octet-stream")


class Half(Resource):
    """Writes a note, then fails in the way that the path says."""

    path = "/half/<way>"
    policy = public("what fails leaves nothing behind")

    def post(self, who: Any, way: str) -> Any:
        db.session.add(NoteRow(owner_id=uuid4(), text="half", done=False, tags=[], extra={}))
        db.session.flush()
        if way == "fault":
            raise RuntimeError("in the middle")
        if way == "problem":
            abort(409)
        return {"unwritable": object()} if way == "answer" else {}


class Abort(Resource):
    """Fails by an HTTP error of werkzeug."""

    path = "/abort/<int:status>"
    policy = public("every status has a problem")

    def get(self, who: Any, status: int) -> Any:
        raise KINDS[status](description="as <asked> & told")


class Odd(HTTPException):
    """A status that no standard knows."""

    code = 499


KINDS = {**default_exceptions, 499: Odd}


class Unhandled(Resource):
    """Raises what the test puts there."""

    path = "/raise"
    policy = public("every fault has a problem")
    errors: list[Exception] = []

    def get(self, who: Any) -> Any:
        raise self.errors.pop()


service = Service(
    "notes",
    package="glassware",
    resources=(NoteList, Note, Sum, Bytes, Half, Abort, Unhandled),
    database=db,
)


#: Any text that JSON and XML can both carry.
TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda character: character >= " " or character in "\t\n\r"
)


def texts(most: int, least: int = 1) -> st.SearchStrategy[str]:
    return st.text(TEXT, min_size=least, max_size=most)


MOMENTS = st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NOTES = st.fixed_dictionaries(
    {"text": texts(200)},
    optional={
        "label": st.none() | texts(20),
        "stars": st.none() | st.integers(-(2**53), 2**53),
        "weight": st.none() | NUMBERS,
        "due": st.none() | MOMENTS,
        "done": st.booleans(),
        "tags": st.lists(texts(20), max_size=5),
        "place": st.none()
        | st.fixed_dictionaries({"name": texts(50)}, optional={"height": st.none() | NUMBERS}),
        "extra": st.dictionaries(texts(10, 0), texts(10, 0), max_size=3),
    },
)
