"""Flask as a service needs it: the same answers with less of what no service has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import flask
from flask import Flask, Response, request, request_tearing_down
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter, Rule
from werkzeug.sansio.utils import get_host
from werkzeug.utils import cached_property

from glassware.observe.edge import MADE

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Which host a request names is always one of a few; a refusal is not remembered.
host_of = lru_cache(256)(get_host)
#: Where a request keeps its route, and the ids in it, once they are known.
KNOWN = "glassware.known"


class Request(flask.Request):
    """A request of which the host is looked at once, and not where nobody asks."""

    @cached_property
    def host(self) -> str:
        given = self.environ.get("HTTP_HOST")
        return host_of(
            self.scheme, given, self.server, cast("tuple[str, ...] | None", self.trusted_hosts)
        )

    def close(self) -> None:
        """Close the files that came with the request, of which most have none."""
        if "files" in vars(self):
            super().close()


class NoSessions(SessionInterface):
    """Nothing is kept between two requests of a caller."""

    nothing = NullSession()

    def open_session(self, app: Flask, request: flask.Request) -> NullSession:
        return self.nothing


class App(Flask):
    """Flask without sessions, without coroutines, and without what no service has asked for."""

    request_class = Request
    session_interface = NoSessions()

    def __init__(self, name: str, **settings: Any) -> None:
        super().__init__(name, **settings)
        self.bound = lru_cache(256)(self.url_map.bind)
        self.after_request(note_made)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is: none of ours is a coroutine."""
        return func

    def do_teardown_request(self, *error: Any) -> None:
        """Tell those who have asked for it of the end of a request."""
        if self.teardown_request_funcs or request_tearing_down.receivers:
            super().do_teardown_request(*error)

    def create_url_adapter(self, request: flask.Request | None) -> Any:
        """Bind the routes to the request. Raises SecurityError for a host that is not ours."""
        if request is None:
            return super().create_url_adapter(None)
        request.trusted_hosts = self.config["TRUSTED_HOSTS"]
        known = request.environ.get(KNOWN)
        return self.routes(request) if known is None else Known(self, request, known)

    def routes(self, request: flask.Request) -> Routes:
        return Routes(self.bound(request.host, request.root_path, "", request.scheme), request)


class Routes(MapAdapter):
    """The routes, bound to a request."""

    def __init__(self, like: MapAdapter, request: flask.Request) -> None:
        vars(self).update(vars(like))
        self.path_info, self.default_method = request.path, request.method
        self.query_args = request.environ.get("QUERY_STRING")


class Known:
    """The routes of a request whose own, with the ids in it, is known: bound where asked for."""

    def __init__(self, app: App, request: flask.Request, known: tuple[Rule, Any]) -> None:
        self.app, self.request, self.known = app, request, known

    def match(self, *_: Any, **__: Any) -> tuple[Rule, Any]:
        return self.known

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app.routes(self.request), name)


def routed(app: Flask, environ: WSGIEnvironment, rule: Rule, ids: Mapping[str, Any]) -> Any:
    """Return the context of a request whose host and route are known, and are not looked for."""
    environ[KNOWN] = rule, ids
    return app.request_context(environ)


def note_made(response: Response) -> Response:
    """Tell the edge of a body that is no stream."""
    request.environ[MADE] = response.is_sequence
    return response
