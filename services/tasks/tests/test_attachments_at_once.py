"""Attachments that many write at the same time: one wins, and what is read is whole."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any

from sqlalchemy import event

from glassware.testing import at_once
from glassware_tasks.models import db

ANY = {"If-Match": "*"}


def putters(who: Any, urls: list[str], **headers: str) -> list[Any]:
    """Return calls that each put a content of their own."""
    return [
        lambda url=url, letter=letter: who.put(
            url, letter * 200_000, **{"Content-Type": f"text/{letter.decode()}", **headers}
        )
        for url, letter in zip(urls, (b"a", b"b", b"c"), strict=False)
    ]


def assert_whole(who: Any, url: str) -> None:
    """Assert that the file is one of those that were put, and is told of as that one."""
    read = who.get(url)
    letter = read.content[:1]
    assert read.content == letter * 200_000
    assert read.headers["Content-Type"] == f"text/{letter.decode()}"
    assert read.headers["ETag"] == f'"{sha256(read.content).hexdigest()}"'


def test_of_those_who_attach_by_one_name_at_once_one_wins_whole(task: str, alice: Any) -> None:
    outcomes: Counter[int] = Counter()
    for number in range(12):
        url = f"{task}/attachments/{number}"
        statuses = at_once(*putters(alice, [url] * 3))
        assert statuses[0] == 201
        outcomes.update(statuses[1:])
        assert_whole(alice, url)
    # Who comes too late to see that it is there is told so by the database.
    assert set(outcomes) <= {428, 409}


def test_of_those_who_replace_one_version_at_once_one_wins_whole(task: str, alice: Any) -> None:
    url = alice.attach(task, "x", b"x").headers["Location"]
    for _ in range(12):
        known = alice.get(url).headers["ETag"]
        statuses = at_once(*putters(alice, [url] * 3, **{"If-Match": known}))
        assert statuses == [200, 412, 412]
        assert_whole(alice, url)
        alice.put(url, b"x", **ANY)


def test_what_is_read_is_one_of_them_whenever_it_is_replaced(
    house: Any, task: str, alice: Any
) -> None:
    old = alice.attach(task, "x", b"a" * 200_000, **{"Content-Type": "text/a"})
    url, statuses = old.headers["Location"], list[int]()

    def replace(*about: Any) -> None:
        """Put another one as soon as the first is found."""
        if "attachments.sha256" in about[2] and not statuses:
            statuses.append(0)
            statuses.append(alice.put(url, b"b", **{"Content-Type": "text/b", **ANY}).status_code)

    with house.mesh.apps["tasks"].app_context():
        engine = db.engine
    event.listen(engine, "after_cursor_execute", replace)
    try:
        assert_whole(alice, url)
    finally:
        event.remove(engine, "after_cursor_execute", replace)
    assert statuses == [0, 200]
    assert alice.get(url).content == b"b"


def test_those_who_attach_at_once_do_not_pass_the_limit_together(small_house: Any) -> None:
    eve = small_house.person()
    for _ in range(8):
        task = eve.add().json()["url"]
        urls = [f"{task}/attachments/{number}" for number in range(4)]
        statuses = at_once(*(lambda url=url: eve.put(url, b"x") for url in urls))
        assert statuses == [201, 201, 413, 413]
        assert len(eve.attached(task)) == 2


def test_a_task_that_is_removed_meanwhile_leaves_no_attachment(house: Any, alice: Any) -> None:
    for _ in range(8):
        task = alice.add().json()["url"]
        url = f"{task}/attachments/x"
        statuses = at_once(
            lambda url=url: alice.put(url, b"x" * 200_000),
            lambda task=task: alice.call("DELETE", task, headers=ANY),
        )
        assert statuses in ([201, 204], [204, 404], [204, 409])
        assert house.rows() == []
