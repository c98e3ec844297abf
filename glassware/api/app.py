"""Flask as a service needs it: the same answers with less of what no service has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, request
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter, Rule
from werkzeug.sansio.utils import get_host

from glassware.observe.edge import MADE

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Which host a request names is always one of a few; a refusal is not remembered.
host_of = lru_cache(256)(get_host)
#: Where a request keeps its route, and the ids in it, once they are known.
KNOWN = "glassware.known"


class NoSessions(SessionInterface):
    """Nothing is kept between two requests of a caller."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self.make_null_session(app)


class App(Flask):
    """Flask without sessions, without coroutines, and with one look at the host of a request."""

    session_interface = NoSessions()

    def __init__(self, name: str, **settings: Any) -> None:
        super().__init__(name, **settings)
        self.bound = lru_cache(256)(self.url_map.bind)
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
        return Routes(
            self.bound(request.host, request.root_path, "", request.scheme),
            request,
            request.environ.get(KNOWN),
        )


class Routes(MapAdapter):
    """The routes, bound to a request; its own may be ``known``, with the ids in it."""

    def __init__(self, like: MapAdapter, request: Request, known: Any) -> None:
        vars(self).update(vars(like))
        self.path_info, self.default_method = request.path, request.method
        self.query_args = request.environ.get("QUERY_STRING")
        self.known = known

    def match(self, *args: Any, **kwargs: Any) -> Any:
        return self.known or super().match(*args, **kwargs)


def routed(app: Flask, environ: WSGIEnvironment, rule: Rule, ids: Mapping[str, Any]) -> Any:
    """Return the context of a request whose route is known, and is not looked for."""
    environ[KNOWN] = rule, ids
    return app.request_context(environ)


def note_made(response: Response) -> Response:
    """Tell the edge of a body that is no stream."""
    request.environ[MADE] = response.is_sequence
    return response
