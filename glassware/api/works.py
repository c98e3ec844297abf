"""What is worked out once of the requests that run a resource's own code: to make, to change.

The code finds all that it would find in Flask's own way: a request, a session, the caller. What
comes before and after it is done as in the reads: the body is read without a look at what no body
has, and the answer is written without a document in between. Whatever is refused before the code
has run goes the plain way, which says why; what it raises itself is raised there again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flask import Flask, Response
from marshmallow import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from glassware.api import conditional, parse
from glassware.api.app import routed
from glassware.api.collection import Collection
from glassware.api.conditional import form_of
from glassware.api.declare import endpoint
from glassware.api.idempotency import HEADER
from glassware.api.item import Item, merge, writable
from glassware.api.loader import quick
from glassware.api.reads import item_paths, shown
from glassware.api.resource import Resource, commit
from glassware.api.runtime import Runtime
from glassware.api.schema import Link, made
from glassware.api.wishes import TYPES, Kept, Made, Make, Met, Wish, as_declared, body_of
from glassware.api.writer import JSON_FORM, OF_OBJECTS, Write, Writer, within, xml_form
from glassware.media import json, xml

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

XML_FORM = xml_form("response")
KEY = f"HTTP_{HEADER.upper().replace('-', '_')}"
#: Of these headers the response itself knows how they are sent.
OWN = frozenset({"Location", "Content-Location", "Vary", "X-Request-Id"})


def work(app: Flask, here: Runtime, kind: type[Resource], method: str) -> Make | None:
    """Return what answers another method than GET; None for nothing."""
    if kind.makes or kind.dispatch_request is not Resource.dispatch_request:
        return None
    if "<" in kind.path.removesuffix("<uuid:id>"):
        return None
    if here.database is not None:
        if issubclass(kind, Item) and as_declared(kind, Item) and method in ("PUT", "PATCH"):
            return Change(app, here, kind, method)
        if issubclass(kind, Collection) and as_declared(kind, Collection) and "<" not in kind.path:
            return Create(app, here, kind, method)
    # Without a schema the answer may be a stream, which Flask had better send.
    return Call(app, here, kind, method) if kind.answers or method == "DELETE" else None


class Call(Kept):
    """A method, called as Flask would call it, without a look for what is known already."""

    def __init__(self, app: Flask, here: Runtime, kind: type[Resource], method: str) -> None:
        super().__init__(app, here, kind)
        self.method, self.has_id = method, "<" in kind.path
        (self.rule,) = app.url_map.iter_rules(endpoint(kind))

    def __call__(self, wish: Wish) -> Made | None:
        if wish.query:
            return None
        ids = {"id": UUID(wish.path[-36:])} if self.has_id else {}
        with routed(self.app, wish.environ, self.rule, ids):
            return self.answer(wish, ids)

    def answer(self, wish: Wish, ids: Mapping[str, Any]) -> Made | None:
        """Return the answer as the resource itself gives it."""
        try:
            response = self.kind().respond(self.method, wish.who, ids)
            commit()
        except Exception as error:
            raise Met(error) from error
        return as_made(response)


class Work(Call):
    """A call of a hook that is given what the body holds, and leaves an item to be shown."""

    def __init__(self, app: Flask, here: Runtime, kind: Any, method: str) -> None:
        super().__init__(app, here, kind, method)
        self.schema = made(kind.schema)
        self.singles: Any = here.singles
        self.load = quick(self.schema) or self.schema.load
        read = kind.reads if method != "PATCH" else (parse.MERGE, parse.XML)
        self.readers = {kind: parse.READERS[kind] for kind in read}
        self.most: int = here.config["server.max_body"]

    def given(self, environ: WSGIEnvironment) -> Any:
        """Return what a plain body holds. Raises Problem, and ValueError for any other."""
        reader = self.readers.get(environ.get("CONTENT_TYPE", ""))
        data = None if reader is None else parse.whole(environ, self.most)
        if reader is None or data is None:
            raise ValueError("the plain way knows what to say")
        return reader(data, self.schema)

    def loaded(self, given: Any) -> Any:
        """Return the content, None where it is not valid."""
        try:
            return self.load(given)
        except ValidationError:
            return None

    def done(self, wish: Wish, status: str, hook: Callable[[], Any]) -> Made:
        """Call the hook and return the answer that shows the item that it returns. Raises Met."""
        try:
            item = hook()
            if not self.singles.stage():
                self.singles.database.session.flush()
            answer = self.show(wish, item, status)
            self.singles.commit()
        except Exception as error:
            raise Met(error) from error
        return answer

    def show(self, wish: Wish, item: Any, status: str) -> Made:
        """Return the answer that shows the item, once it is written."""
        version = conditional.version(item)
        form = form_of(wish.media, None, self.here.release, wish.base)
        headers = [("ETag", f'"{version}-{form}"'), TYPES[wish.media]]
        found = self.of(type(item), lambda: Shown(self.app, self.here, type(item), self.schema))
        body, location = b"", ""
        if found is not None:
            with suppress(Exception):  # the code may leave in an item whatever it likes
                body, location = found(wish, item)
        if not body:
            document = self.schema.dump(item)
            body = json.dumps(document) if wish.media == parse.JSON else xml.dumps(document)
            location = document["url"]
        if status == "201 CREATED":
            headers.append(("Location", location))
        return Made(status, headers, body)


class Create(Work):
    """A new item of a collection."""

    def answer(self, wish: Wish, ids: Mapping[str, Any]) -> Made | None:
        if KEY in wish.environ:
            return super().answer(wish, ids)
        data = self.loaded(self.given(wish.environ))
        if data is None:
            return None
        return self.done(wish, "201 CREATED", lambda: self.kind().create(wish.who, data))


class Change(Work):
    """A change of an item."""

    def answer(self, wish: Wish, ids: Mapping[str, Any]) -> Made | None:
        resource = self.kind()
        try:
            found = self.singles.find(resource, wish.who, ids["id"])
        except SQLAlchemyError as error:  # a database that does not answer is not waited for twice
            raise Met(error) from error
        if found is None or found[0] is None:
            return None
        (item,) = found
        conditional.match(item, wish.environ.get("HTTP_IF_MATCH"))
        given = self.given(wish.environ)
        if self.method == "PATCH":
            given = merge(writable(self.schema, item), given)
        data = self.loaded(given)
        if data is None:
            return None

        def change() -> Any:
            resource.change(wish.who, item, data)
            return item

        return self.done(wish, "200 OK", change)


class Shown:
    """Writes an item of a model as its schema does. Raises LookupError where it cannot."""

    def __init__(self, app: Flask, here: Runtime, model: type[Any], schema: Any) -> None:
        columns = shown(model, schema)
        paths = item_paths(app)
        writer = Writer(schema, columns, OF_OBJECTS, paths, here)
        self.values = itemgetter(*columns)
        self.writes: Mapping[str, Write] = {
            parse.JSON: writer.compiled(JSON_FORM),
            parse.XML: writer.compiled(XML_FORM),
        }
        url = schema.dump_fields["url"]
        if not isinstance(url, Link):
            raise LookupError("its URL is not that of an item")
        self.path, self.id = paths[url.endpoint], attrgetter(url.item_attribute)

    def __call__(self, wish: Wish, item: Any) -> tuple[bytes, str]:
        """Return the body, and the URL of the item."""
        base = within(XML_FORM if wish.media == parse.XML else JSON_FORM, wish.base)
        (document,) = self.writes[wish.media]([self.values(vars(item))], base)
        return body_of(wish.media, document), f"{wish.base}{self.path}{self.id(item)}"


def as_made(response: Response) -> Made:
    """Return the response as the lane sends it; raise Met where Flask had better do so."""
    headers = response.headers
    if not (response.is_sequence and OWN.isdisjoint(name.title() for name, _ in headers)):
        raise Met(response)
    own = [pair for pair in headers if pair[0] != "Content-Length"]
    return Made(response.status, own, response.get_data(), whole=True)
