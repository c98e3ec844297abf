"""Schemas: the contract of a resource, in and out. They validate; they never write a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from flask_marshmallow import Schema as MarshmallowSchema
from flask_marshmallow.fields import URLFor
from marshmallow import Schema as PlainSchema
from marshmallow import ValidationError, fields

from glassware.api.runtime import Runtime, public_url, runtime

Field = fields.Field[Any]
UUID_PATTERN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Schema(MarshmallowSchema):
    """A schema that refuses unknown fields, as marshmallow does by default."""


@lru_cache(256)
def made(
    schema: type[MarshmallowSchema], only: frozenset[str] | None = None, many: bool = False
) -> MarshmallowSchema:
    """Return a schema ready to use, the same to all: making one copies every field.

    It may be shared between threads because nothing writes to it once it is made.
    """
    return schema(only=only, many=many)


def page_of(schema: type[MarshmallowSchema]) -> type[Schema]:
    """Return the schema of a page of a listing."""
    members: dict[str, Any] = {
        "items": fields.List(fields.Nested(schema)),
        "next": fields.URL(allow_none=True, require_tld=False),
    }
    return type(f"{schema.__name__}Page", (Schema,), members)


class Instant(fields.AwareDateTime):
    """A moment with an offset (RFC 3339), given back in UTC with ``Z``. A naive one is refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str):
            raise self.make_error("invalid", obj_type=self.OBJ_TYPE)
        try:
            moment: datetime = super()._deserialize(value, attr, data, **kwargs)
            return moment.astimezone(UTC)
        except OverflowError:
            raise self.make_error("invalid", obj_type=self.OBJ_TYPE) from None

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Link(URLFor):
    """The URL of an item of this service, given out and not taken in: ``url = Link("task")``.

    ``attribute`` is the one that is the id in its path; ``others`` are those of the path's other
    variables, by their names.
    """

    def __init__(self, endpoint: str, attribute: str = "id", **others: str) -> None:
        self.item_attribute = attribute
        values = {name: f"<{each}>" for name, each in {"id": attribute, **others}.items()}
        super().__init__(endpoint, values=values, dump_only=True)

    def _serialize(self, *args: Any, **kwargs: Any) -> str | None:
        untyped: Any = super()
        path = untyped._serialize(*args, **kwargs)
        return None if path is None else public_url() + path


class Relation(fields.Field[UUID]):
    """The URL of a neighbour's item: ``Relation("auth", "/users/", attribute="person_id")``.

    Loads to the item's id, and only from the neighbour's own URL: another host is refused. That
    the item exists is the domain's to check.
    """

    default_error_messages = {"invalid": "Not a URL of the form {form}."}

    def __init__(self, service: str, path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service, self.path = service, path

    @property
    def prefix(self) -> str:
        return self.prefix_in(runtime())

    def prefix_in(self, here: Runtime) -> str:
        base: str = here.config[f"siblings.{self.service}"]
        return base.rstrip("/") + self.path

    def _serialize(self, value: UUID | None, *_: Any, **__: Any) -> str | None:
        return None if value is None else f"{self.prefix}{value}"

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> UUID:
        prefix = self.prefix
        if isinstance(value, str) and value.startswith(prefix):
            identifier = value.removeprefix(prefix)
            if UUID_PATTERN.fullmatch(identifier):
                return UUID(identifier)
        raise self.make_error("invalid", form=f"{prefix}<id>")


def ambiguous_fields(schema: PlainSchema) -> Iterator[str]:
    """Yield the texts that may be null as well as "", which XML writes alike."""
    for name, field in leaves(schema):
        if isinstance(field, fields.String) and field.allow_none and accepts(field, ""):
            yield f"{name} takes null and an empty text, one in XML: add validate=Length(min=1)"


def unbounded_fields(schema: PlainSchema) -> Iterator[str]:
    """Yield the whole numbers of any size, which no database holds."""
    for name, field in leaves(schema):
        if not is_bounded(field):
            yield f"{name} takes any whole number: add validate=Range(min, max)"


def is_bounded(field: Field) -> bool:
    """Whether the field refuses whole numbers of more than 64 bits."""
    large = (2**63, -(2**63) - 1)
    return not (isinstance(field, fields.Integer) and any(accepts(field, each) for each in large))


def leaves(schema: PlainSchema, seen: tuple[type, ...] = ()) -> Iterator[tuple[str, Field]]:
    """Yield the fields that are taken in, those inside of lists and nested schemas too."""
    for name, field in schema.load_fields.items():
        while isinstance(field, fields.List):
            field = field.inner
        if not isinstance(field, fields.Nested):
            yield f"{type(schema).__name__}.{name}", field
        elif (kind := type(field.schema)) not in seen:
            yield from leaves(field.schema, (*seen, kind))


def accepts(field: Field, value: object) -> bool:
    try:
        field.deserialize(value)
    except ValidationError:
        return False
    return True
