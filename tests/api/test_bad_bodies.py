"""Bad bodies over every route of every service: a problem, no 5xx, no changed row, no secret told.

The routes are those of the apps, so a new one is covered as soon as it is there.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.api import parse
from glassware.media import json, xml
from glassware.testing import assert_problem

from .attacks import Attack, refused
from .notes import NOTES
from .targets import House, Route

DEEP = 100_000
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
    # Some take files in a form, and miss them in one that is empty.
    empty = {422} if kind and kind.startswith("multipart/") else set()
    attack(
        {400, 415} | empty,
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
