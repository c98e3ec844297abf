"""What every answer carries, and what is turned away before a resource is reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, request

from glassware.config import Config
from glassware.limits import restrict, secure

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
}


@pytest.fixture
def app(tmp_path: Any) -> Iterator[Flask]:
    """A bare app with the limits and nothing else."""
    options = {
        "service.mode": "development",
        "service.secrets_dir": str(tmp_path),
        "server.trusted_hosts": "notes.example, .inner.example",
        "server.max_body": "100",
    }
    app = Flask("bare")
    restrict(app, Config.load(service="bare", environ={}, overrides=options))
    secure(app)

    @app.route("/", methods=["GET", "POST"])
    def root() -> Any:
        request.get_data()
        response = Response("here")
        for name in request.args:
            response.headers[name] = request.args[name]
        return response

    return app


def ask(app: Flask, method: str = "GET", host: str = "notes.example", **more: Any) -> Any:
    return app.test_client().open(
        more.pop("path", "/"), method=method, headers={"Host": host}, **more
    )


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("notes.example", 200),
        ("notes.example:8443", 200),
        ("a.inner.example", 200),
        ("a.b.inner.example:1", 200),
        ("inner.example", 200),
        ("evilinner.example", 400),
        ("notes.example.evil.example", 400),
        ("xnotes.example", 400),
        ("notes.example@evil.example", 400),
        ("127.0.0.1", 400),
        ("notes.example:0", 400),
        ("notes.example:99999", 400),
        ("notes.example/", 400),
        ("notes.example\\x", 400),
    ],
)
def test_only_our_own_hosts_are_answered_for(app: Flask, host: str, status: int) -> None:
    assert ask(app, host=host).status_code == status


def test_a_body_may_be_as_large_as_the_limit_and_no_larger(app: Flask) -> None:
    assert ask(app, "POST", data=b"x" * 100).status_code == 200
    assert ask(app, "POST", data=b"x" * 101).status_code == 413


def test_every_answer_has_the_headers_errors_included(app: Flask) -> None:
    answers = [
        ask(app),
        ask(app, "HEAD"),
        ask(app, "OPTIONS"),
        ask(app, "PUT"),
        ask(app, path="/nope"),
        ask(app, host="evil.example"),
        ask(app, "POST", data=b"x" * 101),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 405, 404, 400, 413]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_header_that_the_resource_set_is_left_alone(app: Flask) -> None:
    response = ask(app, path="/?Content-Security-Policy=x&Cache-Control=public&Vary=Cookie")
    assert response.headers["Content-Security-Policy"] == "x"
    assert response.headers["Cache-Control"] == "public"
    assert response.headers["Vary"] == "Cookie, Accept"


def test_what_has_a_tag_may_be_kept_and_must_be_checked(app: Flask) -> None:
    assert ask(app, path='/?ETag="a"').headers["Cache-Control"] == "private, no-cache"
