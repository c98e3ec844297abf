"""Only who came by TLS is told to come by TLS alone."""

from __future__ import annotations

import pytest
from flask import Flask

from glassware.config.networks import Networks
from glassware.limits import BehindProxies, secure

HEADER = "Strict-Transport-Security"


@pytest.fixture
def app() -> Flask:
    app = Flask("bare")
    secure(app)
    edge = BehindProxies(app.wsgi_app, Networks.of(["10.0.0.0/8"]))
    app.wsgi_app = edge
    return app


@pytest.mark.parametrize(
    ("url", "peer", "told", "strict"),
    [
        ("https://localhost", "203.0.113.1", None, True),
        ("http://localhost", "203.0.113.1", None, False),
        ("http://localhost", "10.0.0.1", "https", True),
        ("http://localhost", "", "https", True),
        ("http://localhost", "203.0.113.1", "https", False),
        ("https://localhost", "10.0.0.1", "http", False),
    ],
)
def test_tls_is_insisted_on_where_it_was_used(
    app: Flask, url: str, peer: str, told: str | None, strict: bool
) -> None:
    answer = app.test_client().get(
        "/nothing",
        base_url=url,
        headers={} if told is None else {"X-Forwarded-Proto": told},
        environ_overrides={"REMOTE_ADDR": peer},
    )
    assert answer.status_code == 404
    assert answer.headers.get(HEADER) == ("max-age=31536000" if strict else None)
