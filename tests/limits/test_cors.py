"""Which pages of elsewhere may call (Fetch standard, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.limits.cors import permits
from glassware.testing import Issuer, Mesh
from glassware_tasks.app import service as tasks

OURS = "https://app.example.org"
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    settings = {"server.cors_origins": f"{OURS}, http://127.0.0.1:*"}
    with Mesh([tasks], transports={"auth": Issuer().transport}, settings=settings) as mesh:
        with mesh.client("tasks") as client:
            yield client


def allowed(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if "access-control" in name}


@pytest.mark.parametrize("origin", [OURS, "http://127.0.0.1:7001", "http://127.0.0.1:65000"])
def test_a_page_of_a_listed_origin_may_ask_and_read_the_answer(client: Any, origin: str) -> None:
    answer = client.options("/tasks", headers={"Origin": origin, **PREFLIGHT})
    assert (answer.status_code, answer.content) == (204, b"")
    headers = allowed(answer)
    assert headers["access-control-allow-origin"] == origin
    assert "PATCH" in headers["access-control-allow-methods"]
    assert {"Authorization", "If-Match", "Content-Type"} <= set(
        headers["access-control-allow-headers"].split(", ")
    )
    for path, status in (("/problems", 200), ("/tasks", 401), ("/nothing", 404)):
        answer = client.get(path, headers={"Origin": origin})
        assert answer.status_code == status
        assert allowed(answer)["access-control-allow-origin"] == origin
        assert "ETag" in allowed(answer)["access-control-expose-headers"]
        assert {"Accept", "Origin"} <= set(answer.headers["Vary"].split(", "))


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://app.example.org.evil.example",
        "https://app.example.org:443",
        "http://app.example.org",
        "http://127.0.0.1:80.evil.example",
        "http://127.0.0.1:",
        "http://127.0.0.1:*\r\n",
        "https://127.0.0.1:7001",
        "",
    ],
)
def test_a_page_of_any_other_origin_may_not(client: Any, origin: str) -> None:
    if "\n" not in origin:
        for answer in (
            client.options("/tasks", headers={"Origin": origin, **PREFLIGHT}),
            client.get("/problems", headers={"Origin": origin}),
        ):
            assert allowed(answer) == {}
            assert "Origin" in answer.headers["Vary"]
    assert not permits({OURS, "http://127.0.0.1:*"}, origin)


@given(st.text())
def test_only_a_port_stands_in_for_a_star(text: str) -> None:
    assert permits({"http://127.0.0.1:*"}, f"http://127.0.0.1:{text}") == (
        text == "*" or (text.isascii() and text.isdecimal())
    )


def test_no_cookie_is_ever_admitted(client: Any) -> None:
    answer = client.get("/problems", headers={"Origin": OURS})
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_options_without_a_page_says_what_can_be_done(client: Any) -> None:
    answer = client.options("/tasks")
    assert answer.status_code == 200
    assert "POST" in answer.headers["Allow"]


def test_production_lists_no_origin_and_says_nothing_of_them() -> None:
    config = tasks.declared()
    (option,) = [each for each in config if each.name == "server.cors_origins"]
    assert option.default == ()
    settings = {"server.cors_origins": ""}
    with Mesh([tasks], transports={"auth": Issuer().transport}, settings=settings) as mesh:
        with mesh.client("tasks") as client:
            answer = client.get("/problems", headers={"Origin": "http://127.0.0.1:7001"})
    assert allowed(answer) == {}
    assert "Origin" not in answer.headers["Vary"]
