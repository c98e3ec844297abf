"""The caller's address is believed from the web server's socket, from nowhere else."""

from __future__ import annotations

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from glassware.limits import BehindSocket


@Request.application
def echo(request: Request) -> Response:
    return Response(f"{request.remote_addr} {request.scheme} {request.host}")


def asked(peer: str, **headers: str) -> str:
    environ = {"REMOTE_ADDR": peer}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Client(BehindSocket(echo)).get("/", headers=named, environ_overrides=environ).text


def test_the_web_server_says_who_called() -> None:
    told = asked("", X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https")
    assert told == "203.0.113.7 https localhost"


def test_of_a_list_only_what_the_web_server_added_counts() -> None:
    assert asked("", X_Forwarded_For="127.0.0.1, 203.0.113.7").startswith("203.0.113.7 ")


@pytest.mark.parametrize("peer", ["127.0.0.1", "203.0.113.9", "::1"])
def test_over_the_network_nobody_is_believed(peer: str) -> None:
    told = asked(peer, X_Forwarded_For="10.0.0.1", X_Forwarded_Proto="https")
    assert told == f"{peer} http localhost"


def test_no_header_names_another_host() -> None:
    assert asked("", X_Forwarded_Host="evil.example").endswith(" localhost")


def test_without_a_web_server_a_local_caller_has_no_address() -> None:
    assert asked("") == " http localhost"
