"""Bad queries, headers, methods and paths over every route of every service.

The routes are those of the apps, so a new one is covered as soon as it is there.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.api import Collection, parse
from glassware.api.filters import parameter_names
from glassware.testing import assert_problem

from .attacks import ACCEPT, OWN_FORM, Attack, refused
from .targets import NAMES, House, Route


def test_every_service_of_the_repository_is_attacked(everything: House) -> None:
    assert set(NAMES) >= {"auth", "tasks", "archives"}
    for name, wire in everything.wires.items():
        rules = {rule.rule for rule in wire.app.url_map.iter_rules()}
        assert {r.resource.path for r in everything.routes() if r.service == name} == rules


@pytest.mark.parametrize("query", [b"nope=1", b"nope", b"%00=1", b"%ff=1", b"\xff", b"=", b"a[]=1"])
def test_a_parameter_that_nobody_declared(attack: Attack, query: bytes) -> None:
    attack(
        {400},
        lambda route, headers: route.send(
            headers, b"{}", target=route.path + b"?" + query + b"&access_token=" + b"x" * 99
        ),
        at_least=20,
    )


def test_a_parameter_twice(attack: Attack) -> None:
    for name in (b"limit", b"sort", b"fields", b"cursor"):
        attack(
            {400},
            lambda route, headers, name=name: route.send(
                headers, target=route.path + b"?%s=1&%s=1" % (name, name)
            ),
            lambda route: issubclass(route.resource, Collection) and route.method == "GET",
        )


@pytest.mark.parametrize(
    "value", [b"", b"%00", b"%ff", b"%ed%a0%80", b"[", b"{}", b"-", b"%1b", b"nan", b"x" * 3000]
)
def test_a_value_that_no_parameter_takes(routes: list[Route], value: bytes) -> None:
    asked = 0
    for route in routes:
        resource = route.resource
        if issubclass(resource, Collection) and route.method == "GET":
            own = list(parameter_names(resource.filters))
            for name in ("limit", "cursor", "sort", "fields", *own):
                target = route.path + b"?%s=%s" % (name.encode(), value)
                response = route.send({"Accept": ACCEPT[0]}, target=target)
                asked += 1
                if response.status_code != 200:
                    refused(route, response, ACCEPT[0])
                    assert response.status_code == 400
                else:
                    assert name in own or name == "sort", (name, value)
    assert asked > 20


def test_a_cursor_of_another_listing(routes: list[Route]) -> None:
    cursor = "WyJhIl0.aaaaaaaaaaaaaaaaaaaaaaaaaaa"
    for route in routes:
        if issubclass(route.resource, Collection) and route.method == "GET":
            response = route.send({}, target=route.path + b"?cursor=" + cursor.encode())
            assert_problem(response, 400, "invalid-cursor")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "a b", "a:b:c", "\xff"])
def test_a_host_that_is_not_ours(attack: Attack, host: str) -> None:
    attack({421}, lambda route, headers: route.send({**headers, "Host": host}, b"{}"), at_least=20)


@pytest.mark.parametrize("method", ["BREW", "TRACE", "CONNECT", "PROPFIND", "X" * 300])
def test_a_method_that_no_resource_has(attack: Attack, method: str) -> None:
    attack({405}, lambda route, headers: route.send(headers, b"{}", method=method), at_least=20)


def test_a_method_that_this_resource_has_not(attack: Attack) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        attack(
            {405},
            lambda route, headers, method=method: route.send(headers, b"{}", method=method),
            lambda route, method=method: method not in route.resource.methods,
        )


@pytest.mark.parametrize("accept", ["image/png", "text/csv", "application/json;q=0", "audio/*"])
def test_an_accept_that_nothing_meets(routes: list[Route], accept: str) -> None:
    for route in routes:
        if route.service == "archives" and accept == "application/json;q=0":
            continue  # it makes many other types
        if parse.ANY in route.resource.makes and route.method == "GET":
            continue  # it gives what it keeps
        before = route.wire.rows()
        response = route.send({"Accept": accept}, b"{}")
        if accept != "application/json;q=0" or not route.resource.makes:
            assert_problem(response, 406, "not-acceptable")
        assert route.wire.rows() == before


@pytest.mark.parametrize(
    "accept", ["*/*;q=x", "a/b;q=1;;", "\xff", "application/json;q=2", "*", ",", "x" * 5000]
)
def test_an_odd_accept_breaks_nothing(routes: list[Route], accept: str) -> None:
    for route in routes:
        if route.method == "GET":
            response = route.send({"Accept": accept})
            assert response.status_code < 500 or route.resource.path == "/health/ready"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer " + "x" * 9000,
        "Bearer \xff.\xff.\xff",
        "Basic YTpi",
        "Basic \xff",
        "Digest username=x",
        "{token}",
        "bearer{token}",
        "Bearer {token} {token}",
        "Bearer {token}=",
        "Bearer {token}, Bearer {token}",
    ],
)
def test_credentials_that_do_not_hold(attack: Attack, authorization: str) -> None:
    attack(
        {401},
        lambda route, headers: route.send(
            {**headers, "Authorization": authorization.replace("{token}", route.token)}, b"{}"
        ),
        lambda route: not route.is_public,
        at_least=10,
    )


@pytest.mark.parametrize("match", ["", " ", '""', "x", '"x"', 'W/"x"', "W/*", '"*"', "\xff", ","])
def test_an_if_match_that_matches_nothing(attack: Attack, match: str) -> None:
    attack(
        {412},
        lambda route, headers: route.send({**headers, "If-Match": match}, b"{}"),
        lambda route: route.method in ("PUT", "PATCH", "DELETE") and "<uuid" in route.resource.path,
    )


@pytest.mark.parametrize(
    "tail", [b"/nope", b"%00", b"%ff", b"/%2e%2e/x", b"%0d%0aX-Evil:1", b";x", b"/" + b"a" * 9000]
)
def test_a_path_that_leads_nowhere(attack: Attack, tail: bytes) -> None:
    attack(
        {404},
        lambda route, headers: route.send(headers, b"{}", target=route.path + tail),
        # What is put by a name of its own may have another name as well.
        lambda route: (route.path != b"/" or b"%2e" not in tail) and not route.puts_by_name,
        at_least=20,
    )


@pytest.mark.parametrize("value", [b"0", b"%00", b"%ff", b"None", b"1" * 500, b"{}", b"..", b"*"])
def test_an_id_that_cannot_be(attack: Attack, value: bytes) -> None:
    attack(
        {404},
        lambda route, headers: route.send(
            headers, b"{}", target=route.resource.path.replace("<uuid:id>", "%s").encode() % value
        ),
        lambda route: "<uuid:id>" in route.resource.path,
    )


def test_an_id_of_nothing(attack: Attack) -> None:
    nothing = b"0190a1b2-0000-7000-8000-00000000abcd"
    attack(
        {400, 404, 422},
        lambda route, headers: route.send(
            headers, b"{}", target=route.resource.path.replace("<uuid:id>", "%s").encode() % nothing
        ),
        lambda route: "<uuid:id>" in route.resource.path,
    )


HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("Accept", "Accept-Language", "Accept-Charset", "Authorization", "Content-Type"),
            *("If-Match", "If-None-Match", "If-Modified-Since", "Range", "Cookie", "Expect"),
            *("X-Request-Id", "traceparent", "X-Forwarded-Host", "X-Forwarded-For", "Forwarded"),
            *("X-HTTP-Method-Override", "Content-Encoding", "Transfer-Encoding", "Prefer", "Date"),
        ]
    ),
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40),
    max_size=5,
)


@settings(max_examples=200)
@given(
    number=st.integers(min_value=0, max_value=999),
    other=st.sampled_from([None, "OPTIONS", "HEAD"]),
    headers=HEADERS,
    tail=st.just(b"") | st.binary(max_size=10),
    query=st.binary(max_size=20),
)
def test_any_headers_path_and_query_get_an_answer(
    routes: list[Route],
    number: int,
    other: str | None,
    headers: dict[str, str],
    tail: bytes,
    query: bytes,
) -> None:
    route = routes[number % len(routes)]
    target, method = route.path + tail + b"?" + query, other or route.method
    response = route.send(headers, b"{}", target=target, method=method)
    assert response.status_code < 500 or route.resource.path == "/health/ready"
    if response.status_code >= 400 and response.data and route.resource.path not in OWN_FORM:
        assert_problem(response, response.status_code)
    assert "\n" not in response.headers["X-Request-Id"]


def test_nothing_of_all_this_is_left_in_the_metrics(everything: House) -> None:
    """A label is never what a caller chose: else a caller could fill the memory."""
    for name, wire in everything.wires.items():
        for method in ("BREW", "X-1"):
            wire.raw(method, b"/nope-%s" % name.encode())
        text = wire.raw("GET", b"/metrics").data
        assert b"BREW" not in text
        assert b"nope-" not in text
