"""What the lane gives to a plan, what a plan makes of it, and what both keep."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getattr_static, isfunction
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, Response

from glassware.api.parse import JSON, XML
from glassware.api.resource import Resource
from glassware.api.runtime import Runtime
from glassware.auth import Principal
from glassware.db import KEPT
from glassware.media import xml

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: What is kept by a resource at most; beyond that it is made anew.
CAPACITY = 1_000
TYPES = {
    JSON: ("Content-Type", "application/json"),
    XML: ("Content-Type", "application/xml; charset=utf-8"),
}


class Wish(NamedTuple):
    """A request, as far as an answer may differ by it; ``base`` is the URL of the service."""

    path: str
    query: str
    media: str
    base: str
    who: Principal
    environ: WSGIEnvironment


class Made(NamedTuple):
    """An answer: its status line, its own headers, its body, and the query's names for the log.

    An ``ETag`` is the first of its headers. The headers of one that is ``whole`` stand before
    those that every answer has.
    """

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    query: tuple[str, ...] = ()
    whole: bool = False


#: Returns None where the plain way must answer.
Make = Callable[[Wish], Made | None]


class Met(Exception):
    """What a resource's own code has come to, for the plain way to answer by: it ran already."""

    def __init__(self, outcome: Exception | Response) -> None:
        super().__init__()
        self.outcome = outcome


def as_declared(kind: type[Resource], base: type[Resource]) -> bool:
    """Whether the resource does nothing in a way of its own but for what it must."""
    return all(
        getattr_static(kind, name) is value
        for each in (base, Resource)
        for name, value in vars(each).items()
        if isfunction(value) and getattr_static(base, name) is value
    )


def body_of(media: str, document: str) -> bytes:
    """Return the body that holds the document, written as JSON or XML."""
    return f"{xml.DECLARATION}{document}".encode() if media == XML else document.encode()


class Kept:
    """What a resource keeps for its requests, each at first need."""

    def __init__(self, app: Flask, here: Runtime, kind: Any) -> None:
        self.app, self.here, self.kind = app, here, kind
        self.database: Any = app.extensions.get(KEPT)
        self.kept: dict[Any, Any] = {}

    def of(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what is kept under the key, made at first need; None where there can be none."""
        if key not in self.kept:
            if len(self.kept) >= CAPACITY:
                self.kept = {}
            try:
                with self.app.app_context():
                    self.kept[key] = make()
            except Exception:  # whatever a select does of a stand-in, the plain way is open
                self.kept[key] = None
        return self.kept[key]
