"""A listing: pages of items by cursor, filters, sorts, sparse fields; and creating an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from flask import request
from flask_marshmallow import Schema
from sqlalchemy import Select

from glassware.api import conditional, filters, parse
from glassware.api.paging import Cursors, Order, beyond, ordered, read_limit
from glassware.api.resource import Resource, flush
from glassware.api.runtime import link, runtime
from glassware.auth import Principal
from glassware.problems import InvalidParameterProblem


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

    def get(self, who: Principal, **ids: Any) -> Any:
        chosen = filters.chosen_fields(self.schema, request.args.get("fields"))
        items, following = self.page(who, ids)
        document = {"items": self.schema(only=chosen, many=True).dump(items), "next": following}
        return document, 200, {"Link": f'<{following}>; rel="next"'} if following else {}

    def post(self, who: Principal, **ids: Any) -> Any:
        schema = self.schema()
        data = parse.load(schema, parse.body(request, schema, self.reads))
        item = self.create(who, data, **ids)
        flush()
        document = schema.dump(item)
        return document, 201, {"Location": document["url"], "ETag": conditional.tag(item)}

    def page(self, who: Principal, ids: Mapping[str, Any]) -> tuple[list[Any], str | None]:
        """Return the items of the page and the URL of the next one."""
        config = runtime().config
        limit = read_limit(
            request.args.get("limit"), config["paging.limit"], config["paging.max_limit"]
        )
        statement = self.select(who, **ids)
        model = statement.column_descriptions[0]["entity"]
        schema = self.schema()
        orders = [*self.orders(schema, model), Order(model.id)]
        statement = statement.where(*filters.conditions(request.args, self.filters, schema, model))
        cursors = Cursors(config["app.secret_key"], self.binding(who))
        if "cursor" in request.args:
            statement = beyond(statement, orders, cursors.read(request.args["cursor"], orders))
        database = runtime().database
        assert database is not None
        rows = list(database.session.scalars(ordered(statement, orders).limit(limit + 1)))
        more = len(rows) > limit
        cursor = cursors.write(rows[limit - 1], orders) if more else ""
        return rows[:limit], self.following(ids, cursor) if more else None

    def orders(self, schema: Schema, model: Any) -> list[Order]:
        """Return the steps of ``?sort=-due_to,title``. Raises InvalidParameterProblem."""
        asked = request.args.get("sort", self.sort)
        names = [name for name in asked.split(",") if name] if asked else []
        plain = [name.removeprefix("-") for name in names]
        if set(plain) - set(self.sorts) or len(set(plain)) < len(plain):
            known = ", ".join(self.sorts) or "none"
            raise InvalidParameterProblem(
                "The listing cannot be sorted so.",
                errors={"sort": [f"Each at most once, downwards with a leading -: {known}."]},
            )
        return [
            Order(filters.column_of(model, schema, name.removeprefix("-")), name.startswith("-"))
            for name in names
        ]

    def binding(self, who: Principal) -> str:
        free = {"cursor", "limit", "fields"}
        asked = sorted(pair for pair in request.args.items() if pair[0] not in free)
        return conditional.digest(request.path, who.subject, asked)

    def following(self, ids: Mapping[str, Any], cursor: str) -> str:
        asked = {**request.args.to_dict(), "cursor": cursor}
        return f"{link(self.endpoint, **ids)}?{urlencode(asked)}"
