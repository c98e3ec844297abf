"""Who called, and by http or https, when proxies stand ahead."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from glassware.config.networks import Networks, address_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: The caller's address where a proxy names none. It lies in no network.
UNKNOWN = "unknown"


class BehindProxies:
    """Believes declared proxies, and who speaks by a Unix socket, about the caller; nobody else.

    Only who may open the socket can speak there. What comes over the network from anywhere else
    carries headers that anybody can write. Each proxy must add the address that called it to
    ``X-Forwarded-For``, and the one next to us must set ``X-Forwarded-Proto`` anew.
    """

    def __init__(self, app: WSGIApplication, proxies: Networks) -> None:
        self.app, self.proxies = app, proxies
        self.believes = lru_cache(1024)(proxies.hold)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR", "")
        if self.believes(peer):
            told = environ.get("HTTP_X_FORWARDED_FOR")
            environ["REMOTE_ADDR"] = caller(peer, told, self.proxies)
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        return self.app(environ, start_response)


def caller(peer: str, told: str | None, proxies: Networks) -> str:
    """Return the last address of ``X-Forwarded-For`` that is not a proxy's.

    From the right each proxy vouches for what stands left of its own address, and the first that
    is none of ours for nothing, so that what a caller puts before it has no effect.
    """
    if told is None:
        return peer
    for text in reversed(told.split(",")):
        address = address_of(text.strip())
        if address is None:
            return UNKNOWN
        peer = str(address)
        if not proxies.hold(peer):
            break
    return peer
