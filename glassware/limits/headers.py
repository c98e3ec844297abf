"""Headers that every answer carries."""

from __future__ import annotations

from flask import Flask, Response, request

#: An API's answer is data: a browser may neither guess its type nor run or frame it.
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
#: For those who came by TLS; whether a proxy ahead ended it is told by ``server.proxies``.
STRICT_TRANSPORT = "max-age=31536000"


def secure(app: Flask) -> None:
    """Add the security headers; let a cache keep only what it checks with an ETag each time.

    Every answer varies by Accept: a problem, if nothing else, is JSON or XML.
    """

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in SECURITY.items():
            response.headers.setdefault(name, value)
        if request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
        response.vary.add("Accept")
        kept = "private, no-cache" if "ETag" in response.headers else "no-store"
        response.headers.setdefault("Cache-Control", kept)
        return response
