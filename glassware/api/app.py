"""Flask as a service needs it: the same answers with less of what no service has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, request
from flask.ctx import RequestContext
from flask.globals import _cv_request
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter, Rule
from werkzeug.sansio.utils import get_host

from glassware.observe.edge import MADE

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Which host a request names is always one of a few; a refusal is not remembered.
host_of = lru_cache(256)(get_host)


class NoSessions(SessionInterface):
    """Nothing is kept between two requests of a caller."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self.make_null_session(app)


class App(Flask):
    """Flask without sessions, without coroutines, and with one look at the host of a request."""

    session_interface = NoSessions()

    def __init__(self, name: str, **settings: Any) -> None:
        super().__init__(name, **settings)
        self.after_request(note_made)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is: none of ours is a coroutine."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the routes to the request. Raises SecurityError for a host that is not ours."""
        if request is None:
            return super().create_url_adapter(None)
        request.trusted_hosts = trusted = self.config["TRUSTED_HOSTS"]
        given = request.environ.get("HTTP_HOST")
        request.host = host_of(request.scheme, given, request.server, trusted)
        return self.url_map.bind(
            request.host,
            request.root_path,
            "",
            request.scheme,
            request.method,
            request.path,
            request.environ.get("QUERY_STRING"),
        )


class Routed(RequestContext):
    """The context of a request whose route is known; what nobody asks for is not made.

    Flask's own looks for the route, and makes the request and a session, whatever comes.
    """

    def __init__(
        self, app: Flask, environ: WSGIEnvironment, rule: Rule, ids: Mapping[str, Any]
    ) -> None:
        self.app, self.environ, self.rule, self.ids = app, environ, rule, ids
        self.flashes = None
        self._after_request_functions = []
        self.inner = app.app_context()
        # A stream that keeps the context enters it once more, and leaves it last.
        self.tokens: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        match name:
            case "request":
                made: Any = self.app.request_class(self.environ)
                made.json_module = self.app.json
                made.url_rule, made.view_args = self.rule, dict(self.ids)
            case "url_adapter":
                made = self.app.create_url_adapter(self.request)
            case "_session" | "session":
                made = self.app.session_interface.make_null_session(self.app)
            case _:
                raise AttributeError(name)
        setattr(self, name, made)
        return made

    def __enter__(self) -> Routed:
        self.inner.push()
        self.tokens.append(_cv_request.set(self))
        return self

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        try:
            if len(self.tokens) == 1 and "request" in vars(self):
                self.request.close()
        finally:
            _cv_request.reset(self.tokens.pop())
            self.inner.pop(error)


def note_made(response: Response) -> Response:
    """Tell the edge of a body that is no stream."""
    request.environ[MADE] = response.is_sequence
    return response
