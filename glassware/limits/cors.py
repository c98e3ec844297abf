"""Cross-origin requests (Fetch standard, section 3.3): which pages of elsewhere may call us.

No credentials of the browser are ever admitted: a page must bring a token of its own, so that an
origin on the list gains nothing but that it may ask.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from flask import Flask, Response, request

from glassware.config import Config

PORT = re.compile(r":[0-9]+\Z")
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
HEADERS = (
    "Authorization, Content-Digest, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    "Prefer, Signature, Signature-Input, Traceparent, X-Request-Id"
)
EXPOSED = (
    "Content-Disposition, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, "
    "Retry-After, WWW-Authenticate, X-Request-Id"
)
MAX_AGE = "600"


def share(app: Flask, config: Config) -> None:
    """Answer the browsers that ask for the origins in ``server.cors_origins``."""
    origins = frozenset(config["server.cors_origins"])
    if not origins:
        return

    @app.before_request
    def preflight() -> Response | None:
        asked = "Access-Control-Request-Method" in request.headers
        if request.method != "OPTIONS" or not asked or not permits(origins, origin()):
            return None
        answer = Response(status=204)
        answer.headers["Access-Control-Allow-Methods"] = METHODS
        answer.headers["Access-Control-Allow-Headers"] = HEADERS
        answer.headers["Access-Control-Max-Age"] = MAX_AGE
        return answer

    @app.after_request
    def allow(response: Response) -> Response:
        response.vary.add("Origin")
        if permits(origins, origin()):
            response.headers["Access-Control-Allow-Origin"] = origin()
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response


def origin() -> str:
    return request.headers.get("Origin", "")


def permits(origins: Collection[str], origin: str) -> bool:
    """Whether the origin is on the list, where ``*`` in the place of a port is any port."""
    return origin in origins or PORT.sub(":*", origin) in origins
