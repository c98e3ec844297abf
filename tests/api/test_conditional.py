"""ETags: strong, one per representation, and no change without one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.testing import assert_problem, at_once

from .worlds import World

MERGE = {"Content-Type": "application/merge-patch+json"}
CHANGES = (
    ("PUT", {"json": {"text": "changed"}}),
    ("PATCH", {"content": b'{"text":"changed"}', "headers": MERGE}),
    ("DELETE", {}),
)


def change(world: World, method: str, url: str, match: str | None, **request: Any) -> Any:
    headers = world.headers(**request.pop("headers", {}))
    if match is not None:
        headers["If-Match"] = match
    return world.client.request(method, url, headers=headers, **request)


@pytest.mark.parametrize(("method", "request_"), CHANGES)
def test_a_change_without_if_match_is_a_428(world: World, method: str, request_: Any) -> None:
    note = world.add()
    before = world.rows()
    response = change(world, method, note.json()["url"], None, **request_)
    assert_problem(response, 428, "if-match-required")
    assert world.rows() == before


@pytest.mark.parametrize(("method", "request_"), CHANGES)
def test_a_stale_if_match_is_a_412_that_names_the_current_tag(
    world: World, method: str, request_: Any
) -> None:
    note = world.add()
    url, old = note.json()["url"], note.headers["ETag"]
    new = change(world, "PUT", url, old, json={"text": "b"}).headers["ETag"]
    assert new != old
    before = world.rows()
    response = change(world, method, url, old, **request_)
    assert_problem(response, 412, "stale")
    assert response.headers["ETag"] == new
    assert world.rows() == before
    assert change(world, method, url, new, **request_).status_code in (200, 204)


@given(
    garbage=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60).filter(
        lambda text: "*" not in text
    )
    | st.sampled_from(['""', '"-"', 'W/"*"', "W/", ",", '"', "W/*", "-", '"*"', " "])
)
def test_garbage_in_if_match_never_matches(one_world: World, garbage: str) -> None:
    world = one_world
    world.clear()
    url = world.add().json()["url"]
    before = world.rows()
    headers = world.headers(**{"If-Match": garbage, "Content-Type": "application/json"})
    target = url.removeprefix("http://127.0.0.1:7009").encode()
    assert_problem(world.raw("PUT", target, headers, b'{"text":"b"}'), 412, "stale")
    assert world.rows() == before


@pytest.mark.parametrize(("method", "request_"), CHANGES)
def test_a_weak_tag_never_matches_a_change(world: World, method: str, request_: Any) -> None:
    note = world.add()
    weak = f"W/{note.headers['ETag']}"
    assert_problem(change(world, method, note.json()["url"], weak, **request_), 412)


@pytest.mark.parametrize(("method", "request_"), CHANGES)
@pytest.mark.parametrize("match", ["*", '"nope", {tag}', '{tag}, W/"nope"'])
def test_a_star_and_a_list_with_the_tag_match(
    world: World, method: str, request_: Any, match: str
) -> None:
    note = world.add()
    given_ = match.replace("{tag}", note.headers["ETag"])
    response = change(world, method, note.json()["url"], given_, **request_)
    assert response.status_code in (200, 204), response.text


def test_a_star_does_not_match_what_is_not_there(world: World) -> None:
    url = world.add().json()["url"]
    assert change(world, "DELETE", url, "*").status_code == 204
    assert_problem(change(world, "DELETE", url, "*"), 404)
    assert_problem(change(world, "PUT", url, "*", json={"text": "a"}), 404)


def test_the_tag_of_any_representation_admits_a_change_in_any(world: World) -> None:
    url = world.add().json()["url"]
    for view in ({"Accept": "application/xml"}, {"Accept": "application/json"}):
        for query in ("", "?fields=text"):
            tag = world.get(url + query, **view).headers["ETag"]
            response = change(world, "PATCH", url, tag, content=b'{"done":true}', headers=MERGE)
            assert response.status_code == 200
            xml = {"Content-Type": "application/xml"}
            text = f"<a><text>{query}{len(view['Accept'])}</text></a>".encode()
            response = change(
                world, "PUT", url, response.headers["ETag"], content=text, headers=xml
            )
            assert response.status_code == 200, response.text


def test_each_representation_has_a_tag_of_its_own(world: World) -> None:
    url, other = world.add().json()["url"], world.add().json()["url"]
    views = [
        world.get(target, **headers)
        for target in (url, f"{url}?fields=text", f"{url}?fields=text,url", other)
        for headers in ({"Accept": "application/json"}, {"Accept": "application/xml"})
    ]
    tags = [view.headers["ETag"] for view in views]
    assert len(set(tags)) == len(tags)
    assert all(tag.startswith('"') for tag in tags)
    again = world.get(url)
    assert again.headers["ETag"] == tags[0]
    assert again.content == views[0].content


def test_the_tag_of_an_answer_to_a_change_is_that_of_the_next_read(world: World) -> None:
    note = world.add()
    url = note.json()["url"]
    assert world.get(url).headers["ETag"] == note.headers["ETag"]
    for method, request_ in CHANGES[:2]:
        response = change(world, method, url, "*", **request_)
        read = world.get(url)
        assert read.headers["ETag"] == response.headers["ETag"]
        assert read.json() == response.json()


def test_a_tag_that_is_current_is_a_304_without_a_body(world: World) -> None:
    url = world.add().json()["url"]
    full = world.get(url)
    tag = full.headers["ETag"]
    for match in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        for method in ("GET", "HEAD"):
            headers = world.headers(**{"If-None-Match": match})
            response = world.client.request(method, url, headers=headers)
            assert (response.status_code, response.content) == (304, b"")
            for name in ("ETag", "Vary", "Cache-Control"):
                assert response.headers[name] == full.headers[name]
    for match in ('"x"', tag.strip('"')[:-1], ""):
        headers = world.headers(**{"If-None-Match": match})
        assert world.client.get(url, headers=headers).status_code == 200
    xml = world.headers(**{"If-None-Match": tag, "Accept": "application/xml"})
    assert world.client.get(url, headers=xml).status_code == 200
    change(world, "PUT", url, tag, json={"text": "b"})
    headers = world.headers(**{"If-None-Match": tag})
    assert world.client.get(url, headers=headers).status_code == 200


def test_of_concurrent_changes_of_one_version_exactly_one_wins(world: World) -> None:
    outcomes: Counter[tuple[int, ...]] = Counter()
    for _ in range(30):
        note = world.add()
        url, tag = note.json()["url"], note.headers["ETag"]

        def put(number: int, url: str = url, tag: str = tag) -> Any:
            return lambda: change(world, "PUT", url, tag, json={"text": f"by {number}"})

        statuses = at_once(*(put(number) for number in range(4)))
        outcomes[tuple(statuses)] += 1
        assert world.get(url).json()["text"].startswith("by ")
    assert set(outcomes) == {(200, 412, 412, 412)}


def test_a_change_and_a_removal_of_one_version_do_not_both_win(world: World) -> None:
    for _ in range(30):
        note = world.add()
        url, tag = note.json()["url"], note.headers["ETag"]
        statuses = at_once(
            lambda url=url, tag=tag: change(world, "PUT", url, tag, json={"text": "b"}),
            lambda url=url, tag=tag: change(world, "DELETE", url, tag),
            lambda url=url, tag=tag: change(world, "DELETE", url, tag),
        )
        winners = [status for status in statuses if status < 300]
        assert len(winners) == 1, statuses
        assert set(statuses) - set(winners) <= {404, 412}
        there = world.get(url).status_code
        assert there == (200 if winners == [200] else 404)


def test_a_change_that_changes_nothing_keeps_the_version(world: World) -> None:
    note = world.add(text="a")
    url, tag = note.json()["url"], note.headers["ETag"]
    response = change(world, "PUT", url, tag, json={"text": "a"})
    assert response.headers["ETag"] == tag
