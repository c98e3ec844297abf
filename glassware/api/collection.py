"""A listing: pages of items by cursor, filters, sorts, sparse fields; and creating an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from flask import Response, request
from flask_marshmallow import Schema
from sqlalchemy import Select

from glassware.api import conditional, filters, parse
from glassware.api.idempotency import once
from glassware.api.listing import COMMON, asked, binding, following
from glassware.api.paging import Cursors
from glassware.api.resource import Resource, flush
from glassware.api.runtime import database, link, runtime
from glassware.api.schema import made
from glassware.auth import Principal


class Collection(Resource):
    """Declare ``path``, ``schema``, ``policy``, ``filters``, ``sorts``, and write the hooks.

    ``select(who)`` returns the statement of the rows the caller may see (GET);
    ``create(who, data)`` returns the new row (POST), answered by 201 with Location and ETag.
    ``sort`` is the order where none is asked for; the id always breaks ties.
    """

    schema: ClassVar[type[Schema]]
    filters: ClassVar[Mapping[str, filters.Filter]] = {}
    sorts: ClassVar[tuple[str, ...]] = ()
    sort: ClassVar[str] = ""
    select: ClassVar[Callable[..., Select[Any]]]
    create: ClassVar[Callable[..., Any]]

    hooks = {"GET": "select", "POST": "create"}

    def known_parameters(self) -> frozenset[str]:
        if request.method == "POST":
            return frozenset()
        return COMMON.union(filters.parameter_names(self.filters))

    def respond(self, method: str, who: Principal, ids: Mapping[str, Any]) -> Response:
        """Return the answer; that of a POST with an Idempotency-Key is made once."""
        make = partial(super().respond, method, who, ids)
        return once(who, make) if method == "POST" else make()

    def get(self, who: Principal, **ids: Any) -> Any:
        """Return a page of the items."""
        items, following = self.page(who, ids)
        headers = {"Link": f'<{following}>; rel="next"'} if following else {}
        return {"items": items, "next": following}, 200, headers

    def post(self, who: Principal, **ids: Any) -> Any:
        """Make a new item."""
        schema = made(self.schema)
        data = parse.load(schema, parse.body(request, schema, self.reads))
        item = self.create(who, data, **ids)
        flush()
        document = schema.dump(item)
        return document, 201, {"Location": document["url"], "ETag": conditional.tag(item)}

    def page(self, who: Principal, ids: Mapping[str, Any]) -> tuple[list[Any], str | None]:
        """Return the documents of the page, and the URL of the next one."""
        args, statement = request.args.to_dict(), self.select(who, **ids)
        only = filters.chosen_fields(self.schema, args.get("fields"))
        model = statement.column_descriptions[0]["entity"]
        wanted = asked(type(self), model, args, runtime().config)
        cursors = Cursors(runtime().config["app.secret_key"], binding(request.path, who, args))
        if "cursor" in args:
            wanted.after = cursors.read(args["cursor"], wanted.orders)
        found = database().session.scalars(wanted.of_values(statement)).all()
        shown = found[: wanted.size - 1]
        documents = made(self.schema, only, many=True).dump(shown)
        if len(found) < wanted.size:
            return documents, None
        cursor = cursors.write(shown[-1], wanted.orders)
        return documents, following(link(self.endpoint, **ids), args, cursor)
