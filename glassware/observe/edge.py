"""The outermost WSGI layer: one trace and one access line for each request."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from glassware.observe.context import Trace, bind
from glassware.observe.logging import event
from glassware.observe.metrics import Metrics
from glassware.problems import chain

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Clock = Callable[[], float]

#: Where the app notes the route that a request took, ids as placeholders.
ROUTE = "glassware.route"
#: And the document of the problem that it answered with.
PROBLEM = "glassware.problem"
#: Where the app notes that its body is made already, so that nothing is left to happen in it.
MADE = "glassware.made"
#: Where the trace stands, and the moment, of a request that has begun already.
BEGUN = "glassware.begun"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Edge:
    """Binds the request's trace, puts ``X-Request-Id`` on the response, and logs the request.

    The trace holds while the app runs, while the body is made and when it is closed, so that the
    lines of a streaming response have it too. The line ``request`` is written when the server
    closes the response; at once where ``environ["glassware.made"]`` says that the body is made.
    ``environ["glassware.principal"]``, when set, says who asked.
    """

    def __init__(
        self,
        app: WSGIApplication,
        service: str,
        logger: logging.Logger | None = None,
        clock: Clock = time.monotonic,
        metrics: Metrics | None = None,
    ) -> None:
        self.app = app
        self.service = service
        self.logger = logger or logging.getLogger("glassware.access")
        self.clock = clock
        self.metrics = metrics or Metrics()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if (begun := environ.get(BEGUN)) is None:
            self.metrics.began()
            begun = incoming(environ, self.service), self.clock()
        trace, began = begun
        exchange = Exchange(environ, trace, began, self.logger, self.clock, self.metrics)
        with bind(trace):
            try:
                body = self.app(environ, exchange.starting(start_response))
                if environ.get(MADE):
                    return exchange.whole(body)
                return Body(body, iter(body), exchange)
            except BaseException:
                exchange.finish(failed=True)
                raise


def incoming(environ: WSGIEnvironment, service: str) -> Trace:
    """Return the trace of a request to the service."""
    return Trace.incoming(
        environ.get("HTTP_X_REQUEST_ID"),
        environ.get("HTTP_TRACEPARENT"),
        service,
        environ.get("HTTP_X_REQUEST_TIMEOUT"),
    )


class Exchange:
    """What is known of one request and its response."""

    def __init__(
        self,
        environ: WSGIEnvironment,
        trace: Trace,
        began: float,
        logger: logging.Logger,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.environ = environ
        self.trace = trace
        self.began = began
        self.logger = logger
        self.clock = clock
        self.metrics = metrics
        self.status: int | None = None
        self.expected: int | None = None
        self.sent = 0
        self.finished = False

    def starting(self, start_response: StartResponse) -> StartResponse:
        """Return a ``start_response`` that notes the status and adds the request id."""

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            self.status, self.expected = int(status.partition(" ")[0]), None
            kept = [("X-Request-Id", self.trace.request_id)]
            for name, value in headers:
                match name.lower():
                    case "content-length":
                        self.expected = int(value)
                    case "x-request-id":
                        continue
                kept.append((name, value))
            write = start_response(status, kept, *exc_info)

            def counted(data: bytes) -> object:
                self.sent += len(data)
                return write(data)

            return counted

        return start

    def whole(self, body: Iterable[bytes]) -> list[bytes]:
        """Return all parts of a body, and close it."""
        try:
            parts = list(body)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        self.sent += sum(map(len, parts))
        self.finish()
        return parts

    @property
    def complete(self) -> bool:
        """True when all that was announced is sent, though the end has not been asked for."""
        return self.environ["REQUEST_METHOD"] == "HEAD" or self.sent == self.expected

    def finish(self, *, failed: bool = False, aborted: bool = False) -> None:
        """Count the request and write the access line, once."""
        if self.finished:
            return
        self.finished = True
        status = 500 if failed and self.status is None else self.status
        seconds = self.clock() - self.began
        self.count(status, seconds)
        who = self.environ.get("glassware.principal")
        fields = {
            "method": self.environ["REQUEST_METHOD"],
            "path": path(self.environ),
            "route": self.environ.get(ROUTE),
            "query": query_names(self.environ.get("QUERY_STRING", "")),
            "status": status,
            "bytes": self.sent,
            "seconds": round(seconds, 6),
            "subject": getattr(who, "subject", None),
            "client": getattr(who, "client_id", None),
            "aborted": aborted or None,
            "parent_id": self.trace.parent_id,
            **told(self.environ.get(PROBLEM)),
        }
        event(
            self.logger,
            "request",
            level=logging.ERROR if failed else logging.INFO,
            exc_info=sys.exc_info() if failed else None,
            **{name: value for name, value in fields.items() if value not in (None, "", [])},
        )

    def count(self, status: int | None, seconds: float) -> None:
        method = self.environ["REQUEST_METHOD"]
        known = method if method in METHODS else "other"
        route = self.environ.get(ROUTE, "none")
        self.metrics.answered(known, route, status or 0, seconds, self.sent)


class Body:
    """The response's body, each part of it made with the request's trace bound."""

    def __init__(self, body: Iterable[bytes], parts: Iterator[bytes], exchange: Exchange) -> None:
        self.body = body
        self.parts = parts
        self.exchange = exchange
        self.ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        # The server asks for each part after the app returned, when nothing is bound any more,
        # or when it is another request's turn in this thread.
        with bind(self.exchange.trace):
            try:
                part = next(self.parts)
            except StopIteration:
                self.ended = True
                raise
            except BrokenPipeError:  # the client has left
                self.exchange.finish(aborted=True)
                raise
            except BaseException:
                self.exchange.finish(failed=True)
                raise
        self.exchange.sent += len(part)
        return part

    def close(self) -> None:
        with bind(self.exchange.trace):
            try:
                close = getattr(self.body, "close", None)
                if close is not None:
                    close()
            except BaseException:
                self.exchange.finish(failed=True)
                raise
            self.exchange.finish(aborted=not (self.ended or self.exchange.complete))


def told(problem: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the log keeps of a problem: its kind and those of its causes.

    A detail may quote what the caller sent; that of a fault on our side does not.
    """
    if problem is None:
        return {}
    members = ("service", "status", "title", "type")
    ours = problem["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR
    return {
        "problem": [{name: link.get(name) for name in members} for link in chain(problem)],
        "detail": problem.get("detail") if ours else None,
    }


def path(environ: WSGIEnvironment) -> str:
    """Return the path as text; WSGI has it as Latin-1 (PEP 3333)."""
    raw: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return raw.encode("latin-1").decode("utf-8", "replace")


def query_names(query: str) -> list[str]:
    """Return the parameters' names; their values, and a value without a name, may be secrets."""
    if not query:
        return []
    pairs = (part.partition("=") for part in query.split("&"))
    return sorted({unquote_plus(name) for name, equals, _ in pairs if equals})
