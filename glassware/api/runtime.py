"""What an app's requests have at hand; made by the service, read by the resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from flask import Flask, Request, Response, current_app, request, url_for
from werkzeug.exceptions import SecurityError

from glassware.auth import Principal
from glassware.auth.signatures import SignatureVerifier
from glassware.auth.tokens import TokenVerifier
from glassware.client import Client
from glassware.config import Config
from glassware.db import Database
from glassware.limits.rate import Limiter
from glassware.observe.health import Checks
from glassware.observe.metrics import Metrics
from glassware.problems import Document, Problem


class Pages(Protocol):
    """What is made of the resources for browsers and generators, on a floor above."""

    def document(self) -> Document: ...
    def docs(self) -> Response: ...
    def draw(self, data: Any, status: int, headers: Mapping[str, str]) -> Response: ...
    def problem(self, error: Problem, document: Document) -> Response: ...


class Singles(Protocol):
    """What reads and writes one plain row at a time, on a floor above."""

    def find(self, resource: Any, who: Principal, id: Any) -> tuple[Any] | None: ...
    def stage(self) -> bool: ...
    def commit(self) -> None: ...


@dataclass(frozen=True)
class Runtime:
    """What belongs to one app.

    ``release`` is the version of the service's package; ``parts`` is what the service itself keeps
    for as long as the app lives; ``jobs`` is the queue of a service that has jobs; ``running``
    holds the keys of the requests that are being answered; ``singles`` is None where the session
    does all of the work.
    """

    service: str
    summary: str
    release: str
    config: Config
    verifier: TokenVerifier
    siblings: Mapping[str, Client]
    checks: Checks
    metrics: Metrics
    limiter: Limiter
    pages: Pages
    database: Database | None = None
    parts: Any = None
    jobs: Any = None
    signatures: SignatureVerifier | None = None
    singles: Singles | None = None
    running: dict[str, object] = field(default_factory=dict)


#: The app and the request themselves; to ask the proxies takes three times as long.
app: Callable[[], Flask] = cast("Any", current_app)._get_current_object
asked: Callable[[], Request] = cast("Any", request)._get_current_object


def runtime() -> Runtime:
    """Return the parts of the app that serves the present request."""
    parts: Runtime = app().extensions["glassware"]
    return parts


def sibling(name: str) -> Client:
    """Return the client of a neighbour; it relays the caller's token."""
    return runtime().siblings[name]


def public_url() -> str:
    """Return the URL that callers know the service by; nothing for a host that is not ours."""
    configured: str = runtime().config["service.public_url"]
    try:
        return (configured or f"{request.scheme}://{request.host}").rstrip("/")
    except SecurityError:
        return ""


def mount_url() -> str:
    """Return what comes before the path of a route in a URL of this service."""
    return public_url() + request.script_root


def database() -> Database:
    """Return the app's database, of a service that has one."""
    found = runtime().database
    assert found is not None
    return found


def link(endpoint: str, **values: Any) -> str:
    """Return the URL of a resource of this service, as callers know it."""
    return public_url() + url_for(endpoint, **values)
