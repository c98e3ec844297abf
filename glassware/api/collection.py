"""A listing: pages of items by cursor, filters, sorts, sparse fields; and creating an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlencode

from flask import Response, request
from flask_marshmallow import Schema
from sqlalchemy import Select

from glassware.api import conditional, filters, parse, reads
from glassware.api.idempotency import once
from glassware.api.listing import Listing, orders
from glassware.api.paging import Cursors, read_limit
from glassware.api.resource import Resource, flush
from glassware.api.runtime import database, link, mount_url, runtime
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
        names = filters.parameter_names(self.filters)
        return frozenset({"limit", "cursor", "sort", "fields", *names})

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
        document = reads.dump(schema, item)
        return document, 201, {"Location": document["url"], "ETag": conditional.tag(item)}

    def page(self, who: Principal, ids: Mapping[str, Any]) -> tuple[list[Any], str | None]:
        """Return the documents of the page, and the URL of the next one."""
        listing = self.listing(who, ids)
        cursors = Cursors(runtime().config["app.secret_key"], self.binding(who))
        if "cursor" in request.args:
            listing.after = cursors.read(request.args["cursor"], listing.orders)
        found, documents = self.read(who, ids, listing)
        if len(found) < listing.size:
            return documents, None
        cursor = cursors.write(found[-2], listing.orders)
        return documents[:-1], self.following(ids, cursor)

    def listing(self, who: Principal, ids: Mapping[str, Any]) -> Listing:
        """Return what the query asks for, one item more than the page shows.

        Raises InvalidParameterProblem.
        """
        config, args = runtime().config, request.args
        size = read_limit(args.get("limit"), config["paging.limit"], config["paging.max_limit"])
        model, schema = self.model(who, ids), made(self.schema)
        wanted = filters.values(args, self.filters, schema)
        steps = orders(args.get("sort", self.sort), self.sorts, schema, model)
        return Listing(model, schema, self.filters, wanted, steps, size + 1)

    def model(self, who: Principal, ids: Mapping[str, Any]) -> Any:
        """Return the model whose rows ``select`` returns; it is asked once."""
        kept = runtime().readings
        key = ("model", type(self))
        if key not in kept:
            kept[key] = self.select(who, **ids).column_descriptions[0]["entity"]
        return kept[key]

    def read(
        self, who: Principal, ids: Mapping[str, Any], listing: Listing
    ) -> tuple[Sequence[Any], list[Any]]:
        """Return the rows of the page, and their documents."""
        only = filters.chosen_fields(self.schema, request.args.get("fields"))
        schema = made(self.schema, only, many=True)
        key = (type(self), only, listing.shape)

        def build(caller: Principal) -> Select[Any]:
            return listing.of_parameters(self.select(caller))

        # The ids of an outer path are the author's to use in any way.
        reading = None if ids else reads.reading(key, who, schema, build)
        if reading is None:
            statement = listing.of_values(self.select(who, **ids))
            found = database().session.scalars(statement).all()
            return found, schema.dump(found)
        found = reads.rows(reading, who, listing.parameters)
        base = mount_url()
        return found, [reading.dump(row, base) for row in found]

    def binding(self, who: Principal) -> str:
        free = {"cursor", "limit", "fields"}
        asked = sorted(pair for pair in request.args.items() if pair[0] not in free)
        return conditional.digest(request.path, who.subject, asked)

    def following(self, ids: Mapping[str, Any], cursor: str) -> str:
        asked = {**request.args.to_dict(), "cursor": cursor}
        return f"{link(self.endpoint, **ids)}?{urlencode(asked)}"
