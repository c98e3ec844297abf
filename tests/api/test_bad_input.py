"""Bad input over every route of every service: a problem, no 5xx, no changed row, no secret told.

The routes are those of the apps, so a new one is covered as soon as it is there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.api import Collection, parse
from glassware.api.filters import parameter_names
from glassware.media import json, xml
from glassware.testing import assert_problem

from .notes import NOTES
from .targets import NAMES, House, Route, house
from .worlds import Lines, World

ACCEPT = ("application/json", "application/xml")
#: The endpoints whose errors have a form of their own (RFC 6749 section 5.2).
OWN_FORM = {"/oauth/token"}
#: Routes of the notes that fail on purpose, whatever they get.
FAULTY = {"/fault", "/raise", "/half/<way>", "/abort/<int:status>"}
DEEP = 100_000


@pytest.fixture(scope="module")
def everything(one_world: World) -> Iterator[House]:
    one_world.clear()
    with house(one_world) as found:
        yield found


@pytest.fixture(scope="module")
def routes(everything: House) -> list[Route]:
    return [route for route in everything.routes() if route.resource.path not in FAULTY]


class Attack:
    """Sends what must be refused, and sees to it that this is all that happens."""

    def __init__(self, routes: list[Route], log: Lines) -> None:
        self.routes, self.log = routes, log
        self.accepts = itertools.cycle(ACCEPT)

    def __call__(
        self,
        statuses: set[int],
        send: Callable[[Route, dict[str, str]], Any],
        where: Callable[[Route], Any] = lambda _: True,
        at_least: int = 1,
    ) -> None:
        hit = [route for route in self.routes if where(route)]
        assert len(hit) >= at_least
        for route in hit:
            before, accept = route.wire.rows(), next(self.accepts)
            self.log.take()
            response = send(route, {"Accept": accept})
            assert response.status_code in statuses, (
                f"{route}: {response.status_code} {response.data[:500]!r}"
            )
            refused(route, response, accept)
            assert route.wire.rows() == before, str(route)
            self.quiet(route, response)

    def quiet(self, route: Route, response: Any) -> None:
        """Assert that neither the answer nor the log has the token in it."""
        told = response.data.decode("utf-8", "replace") + str(response.headers)
        for text in (told, *self.log.unscrubbed):
            assert route.token.rpartition(".")[2] not in text, str(route)


def refused(route: Route, response: Any, accept: str) -> None:
    """Assert that the answer is a problem in the medium asked for."""
    if route.resource.path in OWN_FORM and response.mimetype == "application/json":
        assert json.loads(response.data)["error"]
    else:
        assert_problem(response, response.status_code)
        asked = "application/problem+xml" if "xml" in accept else "application/problem+json"
        assert response.mimetype == asked, str(route)


@pytest.fixture
def attack(routes: list[Route], log: Lines) -> Attack:
    return Attack(routes, log)


def test_every_service_of_the_repository_is_attacked(everything: House) -> None:
    assert set(NAMES) >= {"auth", "tasks", "archives"}
    for name, wire in everything.wires.items():
        rules = {rule.rule for rule in wire.app.url_map.iter_rules()}
        assert {r.resource.path for r in everything.routes() if r.service == name} == rules


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b" \r\n\t",
    "half an object": b"{",
    "two objects": b"{}{}",
    "a list": b"[]",
    "a list of objects": b"[{}]",
    "null": b"null",
    "a number": b"1",
    "a text": b'"x"',
    "true": b"true",
    "NaN": b"NaN",
    "NaN inside": b'{"a":NaN}',
    "infinity inside": b'{"a":-Infinity}',
    "an overflow": b'{"a":1e999}',
    "digits without end": b'{"a":' + b"9" * 5000 + b"}",
    "lists 100,000 deep": b"[" * DEEP,
    "closed lists 100,000 deep": b"[" * DEEP + b"]" * DEEP,
    "objects 100,000 deep": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a name twice": b'{"nope":1,"nope":1}',
    "no UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "a lone surrogate": b'{"a":"\\ud800"}',
    "a lone surrogate for a name": b'{"\\udfff":1}',
    "a NUL": b'{"a":"\\u0000"}',
    "a raw NUL": b'{"a":"\x00"}',
    "a control character": b'{"a":"\\u0007"}',
    "an unknown field": b'{"no such field":1}',
    "a field of a row": b'{"version":7}',
    "a dunder": b'{"__class__":{"__init__":1}}',
    "single quotes": b"{'a':1}",
    "a trailing comma": b'{"a":1,}',
    "a comment": b"{}//",
    "XML": b"<a/>",
    "a form": b"a=1&b=2",
}


@pytest.mark.parametrize("name", BODIES)
def test_json_that_cannot_be_meant(attack: Attack, name: str) -> None:
    attack(
        {400, 422},
        lambda route, headers: route.send(headers, BODIES[name]),
        lambda route: route.reads[:1] in ((parse.JSON,), (parse.MERGE,)),
        at_least=10,
    )


BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (letter, b"&%c;" % (letter - 1) * 10) for letter in range(98, 108)
)
XMLS: dict[str, bytes] = {
    "nothing": b"",
    "an open element": b"<a>",
    "two roots": b"<a/><b/>",
    "a text": b"<a>x</a>",
    "JSON": b"{}",
    "a DOCTYPE": b"<!DOCTYPE a><a/>",
    "an entity bomb": BOMB + b"]><a>&k;</a>",
    "an external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "an external DTD": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>',
    "an unknown entity": b"<a><b>&nope;</b></a>",
    "elements 100,000 deep": b"<a>" * DEEP,
    "closed elements 100,000 deep": b"<a>" * DEEP + b"</a>" * DEEP,
    "an attribute": b'<a><b c="d"/></a>',
    "a namespace": b'<a xmlns="urn:x"><b/></a>',
    "an unbound prefix": b"<x:a/>",
    "an element twice": b"<a><nope/><nope/></a>",
    "text beside elements": b"<a>x<b/></a>",
    "a reference to NUL": b"<a><b>&#0;</b></a>",
    "a control character": b"<a><b>\x07</b></a>",
    "a reference to a surrogate": b"<a><b>&#xD800;</b></a>",
    "no UTF-8": b"<a><b>\xff</b></a>",
    "UTF-16": '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"),
    "another encoding": b'<?xml version="1.0" encoding="latin-1"?><a/>',
    "an unknown field": b"<a><nope>1</nope></a>",
    "a field of a row": b"<a><version>7</version></a>",
}


@pytest.mark.parametrize("name", XMLS)
def test_xml_that_cannot_be_meant(attack: Attack, name: str) -> None:
    attack(
        {400, 422},
        lambda route, headers: route.send({**headers, "Content-Type": parse.XML}, XMLS[name]),
        lambda route: parse.XML in route.reads,
        at_least=10,
    )


def test_xml_of_more_elements_than_are_read(attack: Attack) -> None:
    body = b"<a>" + b"<b/>" * 100_001 + b"</a>"
    attack(
        {400},
        lambda route, headers: route.send({**headers, "Content-Type": parse.XML}, body),
        lambda route: parse.XML in route.reads and route.service == "notes",
    )


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/yaml",
        "application/json; charset=utf-16",
        "application/json; charset=nope",
        "application/xml; charset=latin-1",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/problem+json",
        "application/json, application/xml",
        "json",
        ";;;",
        "\xff\xfe",
        "x" * 5000,
    ],
)
def test_a_content_type_that_is_not_read(attack: Attack, kind: Any) -> None:
    attack(
        {400, 415},
        lambda route, headers: route.send({**headers, "Content-Type": kind}, b"{}"),
        lambda route: route.reads,
        at_least=10,
    )


def test_a_body_over_the_limit(attack: Attack) -> None:
    def send(route: Route, headers: dict[str, str], chunked: bool) -> Any:
        most = route.wire.app.config["MAX_CONTENT_LENGTH"]
        return route.send(headers, b'"' + b"x" * (most - 1) + b'"', chunked=chunked)

    for chunked in (False, True):
        attack(
            {413},
            lambda route, headers, chunked=chunked: send(route, headers, chunked),
            lambda route: route.reads and parse.FORM not in route.reads,
            at_least=10,
        )


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "", "9" * 400, "\u0663", "5", "0"])
def test_a_length_that_is_not_the_bodys(attack: Attack, length: str) -> None:
    attack(
        {400, 413},
        lambda route, headers: route.send({**headers, "Content-Length": length}, b'{"nope":1}'),
        lambda route: route.reads,
        at_least=10,
    )


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
        lambda route: route.path != b"/" or b"%2e" not in tail,
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


WRONG = (None, True, -1, 1.5, 2**80, "", "x" * 5000, [[]], {"a": {}}, [None])


def test_a_value_of_another_type_in_any_field(routes: list[Route]) -> None:
    """Some of the values may be right for a field; none may break anything."""
    refusals = 0
    for route in routes:
        if not route.reads or route.schema is None or parse.FORM in route.reads:
            continue
        for name in route.schema().fields:
            before, taken = route.wire.rows(), False
            for value in WRONG:
                response = route.send({"Accept": "application/json"}, json.dumps({name: value}))
                assert response.status_code < 500, f"{route} {name} {str(value)[:80]}"
                if response.status_code >= 400:
                    refused(route, response, "application/json")
                    refusals += 1
                else:
                    taken = True
            assert taken or route.wire.rows() == before, f"{route} {name}"
    assert refusals > 300


MESS = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(max_size=3)), max_size=4
)


def spoilt(body: bytes, mess: list[tuple[int, int, bytes]]) -> bytes:
    """Return the body with some bytes taken out and others put in."""
    for place, length, put in mess:
        at = place % (len(body) + 1)
        body = body[:at] + put + body[at + length :]
    return body


@settings(max_examples=150)
@given(note=NOTES, mess=MESS, kind=st.sampled_from([parse.JSON, parse.XML]), patch=st.booleans())
def test_a_body_with_spoilt_bytes_is_read_or_refused(
    everything: House, note: dict[str, Any], mess: Any, kind: str, patch: bool
) -> None:
    world = everything.wires["notes"]
    body = spoilt(json.dumps(note) if kind == parse.JSON else xml.dumps(note), mess)
    method, target = ("PATCH", everything.items["notes.note"]) if patch else ("POST", "/notes")
    headers = {
        "Authorization": f"Bearer {everything.tokens['notes']}",
        "Content-Type": parse.MERGE if patch and kind == parse.JSON else kind,
        "If-Match": "*",
    }
    before = world.rows()
    response = world.raw(method, target.encode(), headers, body)
    if response.status_code >= 300:
        assert response.status_code in (400, 409, 422)
        assert_problem(response, response.status_code)
        assert world.rows() == before


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
@given(data=st.data(), headers=HEADERS, tail=st.binary(max_size=10), query=st.binary(max_size=20))
def test_any_headers_path_and_query_get_an_answer(
    routes: list[Route], data: Any, headers: dict[str, str], tail: bytes, query: bytes
) -> None:
    route = data.draw(st.sampled_from(routes), label="route")
    target = route.path + data.draw(st.sampled_from([b"", tail])) + b"?" + query
    method = data.draw(st.sampled_from([route.method, "OPTIONS", "HEAD"]))
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
