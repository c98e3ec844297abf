"""A bare WSGI callable: what the server and the work itself cost."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from threading import get_ident
from urllib.parse import parse_qsl

from lean import Refused, Store

LIVE = b'{"status":"ok"}'


@cache
def store(_thread: int) -> Store:
    return Store()


def app(environ, start_response):
    try:
        status, body, more = answer(environ)
    except Refused as refused:
        code = HTTPStatus(refused.args[0])
        status, body, more = f"{code.value} {code.phrase}", b'{"error":"refused"}', []
    length = ("Content-Length", str(len(body)))
    start_response(status, [("Content-Type", "application/json"), length, *more])
    return [body]


def answer(environ):
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path == "/health/live":
        return "200 OK", LIVE, []
    mine, who = store(get_ident()), environ.get("HTTP_AUTHORIZATION")
    base = f"http://{environ['HTTP_HOST']}"
    if path == "/oauth/token":
        return "200 OK", mine.token(who), []
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if path == "/tasks":
        if method == "POST":
            made, url = mine.add(who, body, base)
            return "201 Created", made, [("Location", url)]
        asked = dict(parse_qsl(environ["QUERY_STRING"]))
        page = mine.page(who, int(asked.get("limit", 50)), asked.get("cursor", ""), base)
        return "200 OK", page, []
    id = path.removeprefix("/tasks/")
    if method == "PUT":
        return "200 OK", mine.change(who, id, body, base), []
    return "200 OK", mine.one(who, id, base), []
