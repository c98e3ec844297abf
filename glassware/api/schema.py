"""Schemas: the contract of a resource, in and out. They validate; they never write a row."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask_marshmallow import Schema as MarshmallowSchema
from flask_marshmallow.fields import AbsoluteURLFor
from marshmallow import ValidationError, fields

from glassware.api.runtime import runtime

UUID_PATTERN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Schema(MarshmallowSchema):
    """A schema that refuses unknown fields, as marshmallow does by default."""


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


class Link(AbsoluteURLFor):
    """The URL of an item of this service: ``url = Link("task")``."""

    def __init__(self, endpoint: str, attribute: str = "id", **kwargs: Any) -> None:
        super().__init__(endpoint, values={"id": f"<{attribute}>"}, **kwargs)


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
        base: str = runtime().config[f"siblings.{self.service}"]
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


def check_unambiguous(schema: MarshmallowSchema) -> None:
    """Raise ValueError for a field whose empty XML element could mean null as well as "".

    XML writes both alike, so a nullable text must have a minimum length.
    """
    for name, field in schema.fields.items():
        if type(field) is fields.String and field.allow_none and not field.dump_only:
            try:
                field.deserialize("")
            except ValidationError:
                continue
            raise ValueError(
                f"{type(schema).__name__}.{name} takes null and an empty text, which are one in "
                "XML: add validate=Length(min=1)"
            )
