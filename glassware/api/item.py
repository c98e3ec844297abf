"""One item under its URL: read, change, remove, each against a version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from flask import Response, request
from flask_marshmallow import Schema
from sqlalchemy import Select

from glassware.api import conditional, parse
from glassware.api.filters import chosen_fields
from glassware.api.resource import SAFE, Resource, flush
from glassware.api.runtime import database, runtime
from glassware.api.schema import made
from glassware.auth import Principal
from glassware.problems import NotFoundProblem


class Item(Resource):
    """Declare ``path`` (with ``<uuid:id>``), ``schema``, ``policy`` and ``select``.

    ``select(who)`` returns the statement whose rows the caller may see; ``change(who, item, data)``
    gives PUT and PATCH, ``remove(who, item)`` gives DELETE. A change needs ``If-Match``.
    """

    schema: ClassVar[type[Schema]]
    select: ClassVar[Callable[..., Select[Any]]]
    change: ClassVar[Callable[..., None]]
    remove: ClassVar[Callable[..., None]]

    hooks = {"GET": "select", "PUT": "change", "PATCH": "change", "DELETE": "remove"}

    def known_parameters(self) -> frozenset[str]:
        return frozenset({"fields"}) if request.method in SAFE else frozenset()

    def get(self, who: Principal, **ids: Any) -> Any:
        only = chosen_fields(self.schema, request.args.get("fields"))
        item = self.find(who, ids)
        headers = {"ETag": conditional.tag(item)}
        if conditional.matches(headers["ETag"]):
            return Response(status=304, headers=headers)
        return made(self.schema, only).dump(item), 200, headers

    def put(self, who: Principal, **ids: Any) -> Any:
        """Replace the item; what is left out becomes its default."""
        item = self.find(who, ids)
        conditional.require_match(item)
        schema = made(self.schema)
        return self.apply(who, item, schema, parse.body(request, schema, self.reads))

    def patch(self, who: Principal, **ids: Any) -> Any:
        """Change what is named (JSON Merge Patch, RFC 7396); the whole must then be valid."""
        item = self.find(who, ids)
        conditional.require_match(item)
        schema = made(self.schema)
        given = parse.body(request, schema, (parse.MERGE, parse.XML))
        return self.apply(who, item, schema, merge(writable(schema, item), given))

    def delete(self, who: Principal, **ids: Any) -> None:
        """Remove the item."""
        item = self.find(who, ids)
        conditional.require_match(item)
        self.remove(who, item)

    def find(self, who: Principal, ids: Mapping[str, Any]) -> Any:
        """Return the item; raise NotFoundProblem where there is none that the caller may see."""
        policy = self.policy_for(request.method)
        assert policy is not None
        singles = runtime().singles
        found = singles.find(self, who, ids["id"]) if singles is not None else None
        if found is None:
            found = (database().session.scalar(self.select(who).filter_by(id=ids["id"])),)
        (item,) = found
        if item is None or not policy.permits(who, item):
            # Not a 403: that would confirm that the id exists.
            raise NotFoundProblem(f"There is no {type(self).__name__.lower()} {ids['id']} here.")
        return item

    def apply(self, who: Principal, item: Any, schema: Schema, given: Any) -> Any:
        self.change(who, item, parse.load(schema, given))
        flush()
        return schema.dump(item), 200, {"ETag": conditional.tag(item)}


def writable(schema: Schema, item: Any) -> dict[str, Any]:
    """Return the item as a PUT of it would be sent."""
    document = schema.dump(item)
    names = {field.data_key or name for name, field in schema.load_fields.items()}
    return {name: value for name, value in document.items() if name in names}


def merge(target: Any, patch: Any) -> Any:
    """Return ``target`` changed by the merge patch (RFC 7396 section 2)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
