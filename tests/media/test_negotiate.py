from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from glassware.media.negotiate import choose

JSON, XML, HTML, PROBLEM = (
    "application/json",
    "application/xml",
    "text/html",
    "application/problem+json",
)
TYPES = [JSON, XML, HTML, PROBLEM, "image/png"]
RANGES = [*TYPES, "text/html;level=1", "application/*", "text/*", "*/*", "Application/JSON"]
WEIGHTS = ["", ";q=0", ";q=0.0", ";q=0.5", "; q=0.501", ";q=1", ";Q=1.000", " ; q=0.1"]
MALFORMED = [
    "json",
    "*/json",
    "a/",
    "/b",
    "a/b/c",
    ",",
    ";q=1",
    JSON + ";q=2",
    JSON + ";q=x",
    JSON + ";q",
]

PARTS = st.tuples(st.sampled_from(RANGES), st.sampled_from(WEIGHTS)).map("".join)
HEADERS = st.lists(PARTS, min_size=1, max_size=6)
OFFERS = st.lists(st.sampled_from(TYPES), min_size=1, unique=True)


@given(HEADERS, OFFERS)
def test_chooses_as_werkzeug_does(parts, offered):
    header = ", ".join(parts)
    expected = parse_accept_header(header, MIMEAccept).best_match(offered)
    assert choose(header, offered) == expected


@given(HEADERS, OFFERS, st.lists(st.sampled_from(MALFORMED)), st.randoms())
def test_malformed_parts_are_ignored(parts, offered, malformed, random):
    mixed = parts + malformed
    random.shuffle(mixed)
    assert choose(",".join(mixed), offered) == choose(",".join(parts), offered)


@given(st.text(), OFFERS)
def test_any_header_gives_an_offer_or_nothing(header, offered):
    assert choose(header, offered) in (*offered, None)


@pytest.mark.parametrize(
    "accept", [None, "", " ", ",", "*/*", "garbage", "*/*;q=0.1", JSON + ";q=7"]
)
def test_first_offer_is_given_to_who_does_not_mind(accept):
    assert choose(accept, [JSON, XML]) == JSON
    assert choose(accept, (XML, JSON)) == XML


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (XML, XML),
        ("text/csv", None),
        ("*/*;q=0", None),
        (f"{JSON};q=0, */*", XML),
        (f"{JSON};q=0.2, {XML};q=0.3", XML),
        (f"{JSON}, {XML}", JSON),
        (f"{XML}, */*", XML),
        (f"{XML};q=0.9, */*;q=0.8, text/html", HTML),
        ("application/*;q=0.9, text/html;q=0.8", JSON),
        (f"{JSON};q=0.2, */*;q=0.8", XML),
        (f"{JSON};charset=utf-8", JSON),
        (f'{XML}; charset="UTF-8"', XML),
        (f"{XML};charset=latin-1", None),
        (f"{XML};version=2", None),
        (f'{XML};a="x,{JSON},y;q=0", {HTML}', HTML),
        (f'{XML}, {JSON};a="', XML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        (f"{HTML};q=0.3333333", HTML),
        (f"{HTML} ; ; q=1;", HTML),
        (f";{JSON}, {HTML}", HTML),
    ],
)
def test_cases(accept, expected):
    assert choose(accept, [JSON, XML, HTML]) == expected


def test_table_of_the_rfc_holds():
    accept = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, */*;q=0.5"
    accept += ", text/plain;format=fixed;q=0.4"
    weights = [
        ("text/plain;format=flowed", 1),
        ("text/plain", 0.7),
        ("image/jpeg", 0.5),
        ("text/plain;format=fixed", 0.4),
        ("text/html", 0.3),
    ]
    for better, weight in weights:
        for worse, less in weights:
            if weight > less:
                assert choose(accept, [worse, better]) == better


def test_nothing_is_offered_to_nobody():
    assert choose("*/*", []) is None


@pytest.mark.parametrize(
    "piece", ['"', '\\"', ",", ";", "a/b;", "a/b ; ", 'a/b;c="', "a/b;q=0.", "*/*,"]
)
def test_hostile_header_takes_linear_time(piece):
    started = time.process_time()
    choose(piece * (64_000 // len(piece)), [JSON, XML])
    assert time.process_time() - started < 2
