"""What is worked out once of the reads that the lane answers: one item, a page, a constant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl
from uuid import UUID

from flask import Flask
from sqlalchemy import Select, bindparam
from werkzeug.http import parse_etags

from glassware.api import filters
from glassware.api.collection import Collection
from glassware.api.conditional import digest, form_of
from glassware.api.item import Item
from glassware.api.listing import COMMON, Listing, asked, binding, following
from glassware.api.paging import Cursors, plain
from glassware.api.parse import XML
from glassware.api.reads import CALLER, Reading, StandIn, reading
from glassware.api.resource import Resource
from glassware.api.runtime import Runtime
from glassware.api.schema import made
from glassware.api.wishes import CAPACITY, TYPES, Kept, Made, Make, Wish, as_declared, body_of
from glassware.api.writer import JSON_FORM, within, xml_form
from glassware.auth import ANONYMOUS, Principal
from glassware.db.single import VERSION
from glassware.media import json, xml
from glassware.media.text import FORBIDDEN
from glassware.observe.edge import query_names

#: A longer query is left to the plain way, so that those kept are bounded in bytes, too.
MAX_QUERY = 500
FIELDS = re.compile(r"fields=([A-Za-z0-9_,]+)")
XML_FORM = xml_form("response")


def read(app: Flask, here: Runtime, kind: type[Resource]) -> Make | None:
    """Return what answers a GET of the resource in place of its methods; None for nothing."""
    if kind.constant:
        return Constant(app, kind)
    if here.database is not None and "<" not in kind.path.removesuffix("<uuid:id>"):
        if issubclass(kind, Item) and as_declared(kind, Item) and "<" in kind.path:
            return One(app, here, kind)
        if issubclass(kind, Collection) and as_declared(kind, Collection) and "<" not in kind.path:
            return Page(app, here, kind)
    return None


class Constant:
    """A resource whose answer never changes."""

    def __init__(self, app: Flask, kind: type[Resource]) -> None:
        with app.test_request_context():
            value = kind().call("GET", ANONYMOUS, {})
        document = made(kind.answers).dump(value) if kind.answers else value
        self.as_json, self.as_xml = json.dumps(document), xml.dumps(document)

    def __call__(self, wish: Wish) -> Made | None:
        if wish.query:
            return None
        body = self.as_xml if wish.media == XML else self.as_json
        return Made("200 OK", [TYPES[wish.media]], body)


class One(Kept):
    """An item under its URL."""

    def __call__(self, wish: Wish) -> Made | None:
        who, names = wish.who, None
        if wish.query:
            chosen = FIELDS.fullmatch(wish.query)
            if chosen is None:
                return None
            names = chosen[1]
        found = self.of((who.scopes, names), lambda: self.reading(who.scopes, names))
        if found is None:
            return None
        id = wish.path[-36:]
        rows = self.database.fetch(found.prepared, {CALLER: who.user_id, "id": UUID(id)})
        if not rows:
            return None
        version = digest(id, *found.beside(rows[0]))
        tag = f'"{version}-{form_of(wish.media, names, self.here.release, wish.base)}"'
        query = ("fields",) if names else ()
        match = wish.environ.get("HTTP_IF_NONE_MATCH")
        if match is not None and parse_etags(match).contains_weak(tag[1:-1]):
            return Made("304 NOT MODIFIED", [("ETag", tag)], b"", query)
        if wish.media == XML:
            document = found.as_xml(rows, within(XML_FORM, wish.base))[0]
        else:
            document = found.as_json(rows, within(JSON_FORM, wish.base))[0]
        body = body_of(wish.media, document)
        return Made("200 OK", [("ETag", tag), TYPES[wish.media]], body, query)

    def reading(self, scopes: frozenset[str], names: str | None) -> Reading:
        def select(who: Principal) -> Select[Any]:
            statement: Select[Any] = self.kind().select(who)
            return statement.filter_by(id=bindparam("id"))

        schema = made(self.kind.schema, filters.chosen_fields(self.kind.schema, names))
        return reading(self.app, self.here, scopes, select, schema, (VERSION,))


class Query(NamedTuple):
    """A query without its cursor, once it has been read; ``stem`` is the next page's, up to it."""

    args: Mapping[str, str]
    listing: Listing
    only: frozenset[str] | None
    names: tuple[str, ...]
    stem: str


class Page(Kept):
    """A page of a listing."""

    def __init__(self, app: Flask, here: Runtime, kind: Any) -> None:
        super().__init__(app, here, kind)
        self.known = COMMON.union(filters.parameter_names(kind.filters))
        self.queries = lru_cache(CAPACITY)(self.read)

    def __call__(self, wish: Wish) -> Made | None:
        rest, mark, cursor = wish.query.rpartition("cursor=")
        if not mark:
            rest = wish.query
        elif rest.endswith("&") or not rest:
            rest = rest[:-1]
        query = self.queries(rest)
        if query is None:
            return None
        cursors = self.cursors(wish, query.args)
        listing, names = query.listing, query.names
        if mark:
            listing, names = copy(listing), tuple(sorted({*names, "cursor"}))
            listing.after = cursors.read(cursor, listing.orders)
        who, only = wish.who, query.only
        key = who.scopes, only, listing.shape
        found = self.of(key, lambda: self.reading(who.scopes, only, listing))
        if found is None:
            return None
        values = {CALLER: who.user_id, **listing.parameters}
        rows = self.database.fetch(found.prepared, values)
        following = None
        if len(rows) == listing.size:
            rows = rows[:-1]
            cursor = cursors.signed([plain(each) for each in found.beside(rows[-1])])
            following = f"{wish.base}{wish.path}{query.stem}{cursor}"
        headers = [("Link", f'<{following}>; rel="next"')] if following else []
        body = self.body(wish, found, rows, following)
        return Made("200 OK", [*headers, TYPES[wish.media]], body, names)

    def cursors(self, wish: Wish, args: Mapping[str, str]) -> Cursors:
        secret = self.here.config["app.secret_key"]
        return Cursors(secret, binding(wish.path, wish.who, args))

    def body(self, wish: Wish, found: Reading, rows: Any, following: str | None) -> bytes:
        if wish.media == XML:
            items = "".join(found.as_xml(rows, within(XML_FORM, wish.base)))
            url = within(XML_FORM, following or "")
            text = f"<response><items>{items}</items><next>{url}</next></response>"
        else:
            items = ",".join(found.as_json(rows, within(JSON_FORM, wish.base)))
            url = JSON_FORM.escape(following) if following else "null"
            text = f'{{"items":[{items}],"next":{url}}}'
        return body_of(wish.media, text)

    def read(self, query: str) -> Query | None:
        """Read a query without its cursor, where the listing is one that can be prepared.

        Raises what is an error to the plain way, too.
        """
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict") if query else []
        args = dict(pairs)
        odd = len(args) < len(pairs) or "cursor" in args or not self.known.issuperset(args)
        if odd or len(query) > MAX_QUERY or any(map(FORBIDDEN.search, args.values())):
            raise ValueError("the plain way knows what to say")
        model = self.of("model", self.model)
        if model is None:
            return None
        listing = asked(self.kind, model, args, self.here.config)
        only = filters.chosen_fields(self.kind.schema, args.get("fields"))
        return Query(args, listing, only, tuple(query_names(query)), following("", args, ""))

    def model(self) -> Any:
        statement = self.kind().select(cast("Principal", StandIn(frozenset())))
        return statement.column_descriptions[0]["entity"]

    def reading(
        self, scopes: frozenset[str], only: frozenset[str] | None, listing: Listing
    ) -> Reading:
        def select(who: Principal) -> Select[Any]:
            return listing.of_parameters(self.kind().select(who))

        keys = [order.column.key for order in listing.orders]
        schema = made(self.kind.schema, only)
        return reading(self.app, self.here, scopes, select, schema, keys, "item")
