"""Headers that every answer carries."""

from __future__ import annotations

from flask import Flask, Response, request

#: An API's answer is data: a browser may neither guess its type nor run or frame it.
SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
)
#: For those who came by TLS; whether a proxy ahead ended it is told by ``server.proxies``.
STRICT_TRANSPORT = "max-age=31536000"


def secure(app: Flask) -> None:
    """Add the security headers; let a cache keep only what it checks with an ETag each time.

    Every answer varies by Accept: a problem, if nothing else, is JSON or XML.
    """

    @app.after_request
    def add(response: Response) -> Response:
        headers = response.headers
        there = {name.lower() for name, _ in headers}
        wanted = standing("etag" in there, request.is_secure)
        headers.extend([pair for pair in wanted if pair[0].lower() not in there])
        if "vary" in there:
            response.vary.add("Accept")
        else:
            headers.add("Vary", "Accept")
        return response


def standing(tagged: bool, secure: bool) -> list[tuple[str, str]]:
    """Return the headers of an answer, with an ETag or without, by https or not."""
    kept = "private, no-cache" if tagged else "no-store"
    strict = [("Strict-Transport-Security", STRICT_TRANSPORT)] if secure else []
    return [*SECURITY, ("Cache-Control", kept), *strict]
