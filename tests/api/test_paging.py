"""Pages by cursor against Python's own sorting, while the listing stands still and moves."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.testing import assert_problem

from .worlds import World

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
#: Few values, so that most rows are tied with others.
ROWS = st.fixed_dictionaries(
    {
        "text": st.sampled_from(["a", "b", "B", "é", "\U0001f600", "z z"]),
        "label": st.sampled_from([None, "a", "b", "ab"]),
        "stars": st.sampled_from([None, -1, 0, 10, 9]),
        "weight": st.sampled_from([None, -0.5, 0.1, 1e300, 3.0]),
        "due": st.sampled_from(
            [None, NOON, NOON + timedelta(microseconds=1), NOON.replace(year=1)]
        ),
        "done": st.booleans(),
    }
)
NAMES = ["text", "label", "stars", "weight", "due", "done"]
SORTS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.booleans()),
    max_size=3,
    unique_by=lambda pair: pair[0],
)


def sort_parameter(sorts: list[tuple[str, bool]]) -> str:
    return ",".join(f"{'-' * down}{name}" for name, down in sorts)


def compare(sorts: list[tuple[str, bool]]) -> Any:
    """Return a sort key: null last in either direction, the id at the end."""

    def order(one: Any, other: Any) -> int:
        for name, down in [*sorts, ("id", False)]:
            left, right = one[name], other[name]
            if left == right:
                continue
            if left is None or right is None:
                return 1 if left is None else -1
            return -1 if (left < right) != down else 1
        return 0

    return cmp_to_key(order)


def walk(world: World, url: str, between: Any = None) -> list[str]:
    """Follow the pages to the end; return the ids in the order of their coming."""
    found: list[str] = []
    for _ in range(100):
        response = world.get(url)
        assert response.status_code == 200, response.text
        page = response.json()
        found += [item["url"].rpartition("/")[2] for item in page["items"]]
        if page["next"] is None:
            assert "Link" not in response.headers
            return found
        assert response.headers["Link"] == f'<{page["next"]}>; rel="next"'
        url = page["next"]
        if between:
            between()
    raise AssertionError("the pages do not end")


@settings(max_examples=50)
@given(rows=st.lists(ROWS, max_size=20), sorts=SORTS, limit=st.integers(1, 7))
def test_pages_are_the_sorted_list_in_pieces(
    one_world: World, rows: list[Any], sorts: Any, limit: int
) -> None:
    one_world.clear()
    ids = one_world.insert(*rows)
    known = [{**row, "id": identifier} for row, identifier in zip(rows, ids, strict=True)]
    url = f"/notes?limit={limit}" + (f"&sort={sort_parameter(sorts)}" if sorts else "")
    assert walk(one_world, url) == [row["id"] for row in sorted(known, key=compare(sorts))]


@settings(max_examples=40)
@given(
    rows=st.lists(ROWS, min_size=3, max_size=15),
    more=st.lists(ROWS, max_size=10),
    sorts=SORTS,
    limit=st.integers(1, 4),
    seed=st.randoms(use_true_random=False),
)
def test_rows_that_stay_are_seen_exactly_once_while_others_come_and_go(
    one_world: World, rows: Any, more: Any, sorts: Any, limit: int, seed: random.Random
) -> None:
    one_world.clear()
    there = one_world.insert(*rows)
    values = dict(zip(there, rows, strict=True))
    gone: set[str] = set()
    waiting = list(more)

    def meddle() -> None:
        if waiting:
            row = waiting.pop()
            values[one_world.insert(row)[0]] = row
        if seed.random() < 0.5 and len(gone) < len(there):
            victim = seed.choice(sorted(set(there) - gone))
            one_world.delete(victim)
            gone.add(victim)

    url = f"/notes?limit={limit}" + (f"&sort={sort_parameter(sorts)}" if sorts else "")
    found = walk(one_world, url, meddle)
    assert len(found) == len(set(found))
    assert set(there) - gone <= set(found)
    in_order = sorted(({**values[each], "id": each} for each in found), key=compare(sorts))
    assert [row["id"] for row in in_order] == found


def test_pages_keep_their_filters_fields_and_size(world: World) -> None:
    world.insert(*[{"text": f"n{n}", "done": n % 2 == 0} for n in range(9)])
    url = "/notes?done=true&limit=2&fields=text&sort=-text"
    texts = []
    while url:
        page = world.get(url).json()
        assert len(page["items"]) <= 2
        assert all(set(item) == {"text"} for item in page["items"])
        texts += [item["text"] for item in page["items"]]
        url = page["next"]
    assert texts == ["n8", "n6", "n4", "n2", "n0"]


def test_the_size_of_a_page_has_bounds(world: World, make_world: Any) -> None:
    world.insert(*[{"text": "a", "done": False}] * 60)
    assert len(world.get("/notes").json()["items"]) == 50
    assert len(world.get("/notes?limit=60").json()["items"]) == 60
    assert world.get("/notes?limit=60").json()["next"] is None
    for limit in ("0", "-1", "201", "1e1", "", "1.0", "9" * 400, "\u0663", "x", "1_0", "%2B1"):
        document = assert_problem(world.get(f"/notes?limit={limit}"), 400, "invalid-parameter")
        assert list(document["errors"]) == ["limit"]
    small = make_world(**{"paging.limit": "2", "paging.max_limit": "3"})
    small.insert(*[{"text": "a", "done": False}] * 4)
    assert len(small.get("/notes").json()["items"]) == 2
    assert_problem(small.get("/notes?limit=4"), 400)


def cursor_of(world: World, query: str, headers: Any = None) -> str:
    page = world.client.get(f"/notes?limit=1&{query}", headers=headers or world.headers()).json()
    return page["next"].rpartition("cursor=")[2]


def test_a_cursor_of_another_listing_is_refused(world: World, make_world: Any) -> None:
    rows = [{"text": "a", "done": False, "stars": n} for n in range(3)]
    world.insert(*rows)
    cursor = cursor_of(world, "sort=stars")
    assert world.get(f"/notes?sort=stars&cursor={cursor}").status_code == 200
    assert world.get(f"/notes?sort=stars&cursor={cursor}&limit=9&fields=url").status_code == 200
    elsewhere = make_world(**{"service.mode": "development"})
    refused = [
        world.get(f"/notes?cursor={cursor}"),
        world.get(f"/notes?sort=-stars&cursor={cursor}"),
        world.get(f"/notes?sort=stars,text&cursor={cursor}"),
        world.get(f"/notes?sort=stars&done=false&cursor={cursor}"),
        world.client.get(
            f"/notes?sort=stars&cursor={cursor}", headers=world.headers(subject=world.other)
        ),
        elsewhere.get(f"/notes?sort=stars&cursor={cursor}"),
        world.get(f"/notes?sort=stars&cursor={cursor[:-1]}"),
        world.get(f"/notes?sort=stars&cursor={cursor.partition('.')[0]}"),
        world.get("/notes?sort=stars&cursor="),
        world.get("/notes?sort=stars&cursor=."),
    ]
    for response in refused:
        assert_problem(response, 400, "invalid-cursor")


@given(forged=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60), at=st.data())
def test_a_forged_cursor_is_refused(one_world: World, forged: str, at: Any) -> None:
    one_world.clear()
    one_world.insert(*[{"text": "a", "done": False}] * 2)
    cursor = cursor_of(one_world, "sort=text")
    place = at.draw(st.integers(0, len(cursor)))
    for each in (forged, cursor[:place] + forged + cursor[place:], cursor[:place] + forged):
        response = one_world.client.get(
            "/notes", params={"sort": "text", "cursor": each}, headers=one_world.headers()
        )
        if each != cursor:
            assert_problem(response, 400)


@pytest.mark.parametrize(
    "sort", ["nope", "-nope", "text,text", "text,-text", "--text", "id", "url"]
)
def test_a_sort_that_is_not_declared_is_refused(world: World, sort: str) -> None:
    document = assert_problem(world.get(f"/notes?sort={sort}"), 400, "invalid-parameter")
    assert list(document["errors"]) == ["sort"]


def test_the_next_page_is_under_the_public_url(make_world: Any) -> None:
    world = make_world(**{"service.public_url": "https://notes.example/v1"})
    world.insert(*[{"text": "a", "done": False}] * 2)
    page = world.get("/notes?limit=1").json()
    assert page["next"].startswith("https://notes.example/v1/notes?")
    assert page["items"][0]["url"].startswith("https://notes.example/v1/notes/")
    assert world.client.get("/").json()["resources"]["note_list"].startswith("https://notes.")
    made = world.add()
    assert made.headers["Location"] == made.json()["url"]
    document = assert_problem(world.get("/nope"), 404)
    assert document["type"] == "https://notes.example/v1/problems/not-found"
