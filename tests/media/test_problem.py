from __future__ import annotations

import json as stdlib
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.media import json, problem
from glassware.problems import MAX_CHAIN, NotFoundProblem, UpstreamProblem, chain

JSON, XML = "application/problem+json", "application/problem+xml"
CONTROLS = "".join(chr(code) for code in range(32) if chr(code) not in "\t\n\r") + "\ufffe\uffff"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS), max_size=10)
TEXTS |= st.text(st.sampled_from(" \r\n\t<&>'\"é😀"), max_size=8)
NAMES = TEXTS | st.sampled_from(
    ["i", "key", "errors", "cause", "entries.0.name", "a b", "title", "1"]
)
VALUES = st.recursive(
    TEXTS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(NAMES, inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)
STANDARD = {"type": TEXTS, "title": TEXTS, "status": st.integers(100, 599), "detail": TEXTS}
ERRORS = st.dictionaries(NAMES, st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=3)
OURS = {"instance": TEXTS, "service": TEXTS, "request_id": TEXTS, "errors": ERRORS}
RESERVED = {*STANDARD, *OURS, "cause"}


@st.composite
def links(draw: st.DrawFn) -> dict[str, object]:
    found = draw(st.fixed_dictionaries({}, optional={**STANDARD, **OURS}))
    extensions = draw(
        st.dictionaries(NAMES.filter(lambda n: n not in RESERVED), VALUES, max_size=3)
    )
    return {"title": "A problem", **found, **extensions}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, object]:
    document = draw(links())
    for _ in range(draw(st.integers(0, 2))):
        document = {**draw(links()), "cause": document}
    return document


@given(documents())
def test_xml_is_read_back(document):
    assert problem.parse(XML, problem.to_xml(document)) == document


@given(documents())
def test_json_is_read_back(document):
    assert problem.parse(JSON, json.dumps(document)) == document


def test_chain_of_problems_survives_every_hop():
    document = NotFoundProblem("No such task.", errors={"ids.0": ["Unknown."]}).document(base="b")
    for hop in range(20):
        raised = UpstreamProblem(f"hop {hop}", cause=document)
        ours = raised.document(service=f"s{hop}", request_id="r")
        document = problem.parse(XML, problem.to_xml(ours))
        assert document == problem.parse(JSON, json.dumps(ours)) == ours
    assert len(list(chain(document))) == MAX_CHAIN


@pytest.mark.parametrize("value", [{"i": "a"}, {"i": ["a"]}, [{"i": "a"}], [["a"], ["b"]]])
def test_member_called_i_makes_no_list_of_its_object(value):
    assert problem.parse(XML, problem.to_xml({"extra": value})) == {"extra": value}


def test_object_with_an_i_among_others_is_no_list():
    body = b"<problem xmlns='urn:ietf:rfc:7807'><extra><i>1</i><j>2</j></extra></problem>"
    assert problem.parse(XML, body) == {"extra": {"i": "1", "j": "2"}}


def test_format_is_that_of_the_appendix():
    body = problem.to_xml(
        {
            "balance": 30,
            "type": "https://example.com/probs/out-of-credit",
            "status": 403,
            "accounts": ["/account/12345", "/account/67890"],
            "errors": {"entries.0.name": ["Too long."], "a b": ["No."]},
        }
    )
    assert body.decode() == (
        '<?xml version="1.0" encoding="UTF-8" ?><problem xmlns="urn:ietf:rfc:7807">'
        "<type>https://example.com/probs/out-of-credit</type><status>403</status>"
        "<balance>30</balance><accounts><i>/account/12345</i><i>/account/67890</i></accounts>"
        '<errors><entries.0.name><i>Too long.</i></entries.0.name><key name="a b"><i>No.</i></key>'
        "</errors></problem>"
    )


def test_example_of_the_rfc_is_read_with_or_without_a_prefix():
    body = b"""<?xml version="1.0" encoding="UTF-8"?>
      <p:problem xmlns:p="urn:ietf:rfc:7807">
        <p:type>https://example.com/probs/out-of-credit</p:type>
        <p:title xml:lang="en">You do not have enough credit.</p:title>
        <p:status>403</p:status>
        <p:balance currency="EUR">30</p:balance>
        <p:accounts><p:i>/account/12345</p:i><p:i>/account/67890</p:i></p:accounts>
      </p:problem>"""
    expected = {
        "type": "https://example.com/probs/out-of-credit",
        "title": "You do not have enough credit.",
        "status": 403,
        "balance": "30",
        "accounts": ["/account/12345", "/account/67890"],
    }
    assert problem.parse(f"{XML.upper()} ; charset=utf-8", body) == expected
    plain = body.replace(b"p:", b"").replace(b"xmlns:p", b"xmlns")
    assert problem.parse(XML, plain.replace(b"<problem xmlns:p=", b"<problem xmlns=")) == expected


@pytest.mark.parametrize("media", [JSON, XML])
def test_members_of_a_wrong_type_are_left_out_in_causes_too(media):
    wrong = {"title": ["a"], "status": "4O4", "detail": {"a": "b"}, "extra": "kept"}
    document = {**wrong, "cause": wrong}
    body = json.dumps(document) if media == JSON else problem.to_xml(document)
    assert problem.parse(media, body) == {"extra": "kept", "cause": {"extra": "kept"}}


@pytest.mark.parametrize("status", [True, 4.5, "404", None])
def test_status_is_an_integer_or_absent(status):
    assert problem.parse(JSON, stdlib.dumps({"status": status}).encode()) == {}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (None, b"{}"),
        ("", b"{}"),
        ("application/json", b"{}"),
        ("text/html", b"<html/>"),
        ("application/xml", problem.to_xml({"title": "a"})),
        (JSON, b""),
        (JSON, b"[]"),
        (JSON, b'"a"'),
        (JSON, b'{"a": 1'),
        (JSON, b'{"a": "%s"}' % (b"x" * 256 * 1024)),
        (JSON, b"[" * 100_000),
        (XML, b""),
        (XML, b"{}"),
        (XML, b"<problem/>"),
        (XML, b"<error xmlns='urn:ietf:rfc:7807'><title>a</title></error>"),
        (XML, b"<problem xmlns='urn:ietf:rfc:7807'>text</problem>"),
        (XML, b"<!DOCTYPE a><problem xmlns='urn:ietf:rfc:7807'><title>a</title></problem>"),
        (XML, problem.to_xml({"detail": "x" * 256 * 1024})),
    ],
)
def test_other_types_and_garbage_are_nothing(content_type, body):
    assert problem.parse(content_type, body) is None


@given(st.text() | st.sampled_from([JSON, XML]), st.binary(max_size=60))
def test_garbage_never_raises(content_type, body):
    inside = b"<problem xmlns='urn:ietf:rfc:7807'>%s</problem>" % body
    for garbage in (body, inside, b'{"title":%s}' % body):
        assert problem.parse(content_type, garbage) in (None, {}) or garbage != body


def test_characters_that_xml_cannot_carry_do_not_break_the_report():
    body = problem.to_xml({"detail": "bad \x00\ud800 byte", "errors": {"\x01": ["\ufffe"]}})
    assert ElementTree.fromstring(body)[0].text == "bad \ufffd\ufffd byte"
