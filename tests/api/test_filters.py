"""Typed filters against Python's own filtering, and what they refuse."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.testing import assert_problem

from .worlds import World

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
TEXTS = ["a", "A", "aB", "b", "%", "_", "\\", "50%", "é", "É", "ß", "a b", "👩\u200d👧", "\u00a0"]
VALUES: dict[str, list[Any]] = {
    "text": TEXTS,
    "label": [None, *TEXTS],
    "code": [None],
    "stars": [None, -1, 0, 9, 10, 2**53],
    "weight": [None, -0.5, 0.1, 1e300, 3.0],
    "due": [None, NOON, NOON + timedelta(microseconds=1), NOON - timedelta(days=700_000)],
    "done": [True, False],
}
ROWS = st.fixed_dictionaries({name: st.sampled_from(some) for name, some in VALUES.items()})


def holds(text: Any, part: Any) -> bool:
    """Whether the text holds the part, in either case."""
    return part.lower() in text.lower()


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "contains": holds,
}
OPERATORS = {
    "text": ["", "contains"],
    "label": ["", "contains"],
    "done": [""],
    **{name: ["", "lt", "lte", "gt", "gte"] for name in ("stars", "weight", "due")},
}


def written(value: Any) -> str:
    """Return the value as a query has it; moments in a zone of their own."""
    if isinstance(value, datetime):
        return value.astimezone(timezone(timedelta(hours=5))).isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


CONDITIONS = st.sampled_from(
    [
        (name, sign, value)
        for name, signs in OPERATORS.items()
        for sign in signs
        for value in VALUES[name]
        if value is not None
    ]
)


@settings(max_examples=100)
@given(
    rows=st.lists(ROWS, max_size=15),
    conditions=st.lists(CONDITIONS, min_size=1, max_size=3, unique_by=lambda each: each[:2]),
)
def test_filters_find_what_python_finds(one_world: World, rows: Any, conditions: Any) -> None:
    one_world.clear()
    ids = one_world.insert(*rows)
    expected = {
        identifier
        for identifier, row in zip(ids, rows, strict=True)
        if all(
            row[name] is not None and COMPARE[sign](row[name], value)
            for name, sign, value in conditions
        )
    }
    query = {f"{n}[{sign}]" if sign else n: written(value) for n, sign, value in conditions}
    response = one_world.client.get("/notes", params=query, headers=one_world.headers())
    assert response.status_code == 200, response.text
    found = {item["url"].rpartition("/")[2] for item in response.json()["items"]}
    assert found == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stars", "x"),
        ("stars", "1.5"),
        ("stars", ""),
        ("stars", "nan"),
        ("stars", "9" * 30),
        ("stars[lt]", str(2**63)),
        ("stars[lt]", "9" * 5000),
        ("weight", "nan"),
        ("weight[gt]", "inf"),
        ("weight[gt]", "1e999"),
        ("due[lt]", "2026-12-01"),
        ("due[lt]", "2026-12-01T00:00:00"),
        ("due[gt]", "0001-01-01T00:00:00+14:00"),
        ("due", "now"),
        ("done", "maybe"),
        ("done", ""),
        ("label[contains]", ""),
        ("label[contains]", "x" * 21),
        ("text", "x" * 201),
    ],
)
def test_a_value_that_the_field_refuses_is_a_400_that_names_the_parameter(
    world: World, name: str, value: str
) -> None:
    response = world.client.get("/notes", params={name: value}, headers=world.headers())
    document = assert_problem(response, 400, "invalid-parameter")
    assert list(document["errors"]) == [name]


@pytest.mark.parametrize(
    "name",
    ["nope", "text[lt]", "done[gt]", "stars[contains]", "text[]", "[lt]", "Text", "owner_id", ""],
)
def test_an_unknown_parameter_is_a_400_that_lists_the_known_ones(world: World, name: str) -> None:
    response = world.client.get("/notes", params={name: "1"}, headers=world.headers())
    document = assert_problem(response, 400, "unknown-parameter")
    assert {"limit", "cursor", "sort", "fields", "text", "text[contains]", "stars[gte]"} <= set(
        document["known"]
    )


@pytest.mark.parametrize(
    ("target", "slug"),
    [
        (b"/notes?text=a&text=b", "invalid-parameter"),
        (b"/notes?limit=1&limit=1", "invalid-parameter"),
        (b"/notes?text=%ff", "invalid-parameter"),
        (b"/notes?text=\xff", "invalid-parameter"),
        (b"/notes?%ff=1", "invalid-parameter"),
        (b"/notes?text=%00", "invalid-parameter"),
        (b"/notes?text=%ed%a0%80", "invalid-parameter"),
        (b"/notes?text=a%0b", "invalid-parameter"),
        (b"/notes?fields=%ef%bf%be", "invalid-parameter"),
        (b"/notes?a\x00b=1", "unknown-parameter"),
        (b"/notes?" + b"&".join(b"p%d=1" % n for n in range(2000)), "unknown-parameter"),
        (b"/notes?" + b"x" * 5000 + b"=1", "unknown-parameter"),
        (b"/notes?access_token=eyJsecret", "unknown-parameter"),
    ],
)
def test_a_query_that_no_text_would_give_is_a_400(world: World, target: bytes, slug: str) -> None:
    response = world.raw("GET", target, world.headers())
    assert_problem(response, 400, slug)
    assert len(response.data) < 2000
    assert b"eyJsecret" not in response.data
    assert "eyJsecret" not in world.log.take()


def test_a_replacement_character_that_is_really_meant_is_text(world: World) -> None:
    made = world.add(text="\ufffd").json()
    assert world.get("/notes?text=%EF%BF%BD").json()["items"] == [made]
