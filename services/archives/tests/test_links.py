"""Links for people without a token: good for one archive and a while, and for nothing else."""

from __future__ import annotations

import io
import json
import logging
from datetime import datetime, timedelta

import pytest

from glassware.observe.logging import configure
from glassware.testing import assert_problem

INLINE = [{"name": "a", "text": "one"}]


@pytest.fixture
def archives(make):
    return make()


@pytest.fixture
def job(archives):
    return archives.built(INLINE)


def lent(archives, job, **wish):
    return archives.client.post(f"{job['result']}/links", json=wish, headers=archives.headers())


def test_whoever_has_the_link_can_fetch_the_archive(archives, job):
    answer = lent(archives, job, seconds=60)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == answer.json()["url"]
    ends = datetime.fromisoformat(answer.json()["expires_at"])
    assert timedelta(seconds=50) < ends - datetime.now(ends.tzinfo) <= timedelta(seconds=60)
    whole = archives.client.get(answer.json()["url"])
    assert whole.content == archives.get(job["result"]).content
    rest = archives.client.get(answer.json()["url"], headers={"Range": "bytes=10-"})
    assert (rest.status_code, rest.content) == (206, whole.content[10:])


def test_a_link_that_was_changed_in_any_character_does_not_hold(archives, job):
    url = lent(archives, job).json()["url"]
    token = url.partition("token=")[2]
    other = archives.built([{"name": "b", "text": "two"}])["result"]
    assert_problem(archives.client.get(f"{other}/file", params={"token": token}), 403, "link")
    for place in range(0, len(token), 3):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        answer = archives.client.get(url.replace(token, changed))
        # The last letter of base64 has bits that mean nothing.
        assert answer.status_code == 403 or place == len(token) - 1, place
    assert_problem(archives.client.get(url.partition("?")[0]), 400)
    assert_problem(archives.client.get(url.replace(token, "")), 403, "link")


def test_a_link_ends_with_its_time_with_its_archive_and_with_the_secret(archives, job, make):
    short = lent(archives, job, seconds=1).json()
    long = lent(archives, job, seconds=604_800).json()
    ends = [datetime.fromisoformat(each["expires_at"]) for each in (long, job)]
    assert ends[0] <= ends[1]
    while archives.client.get(short["url"]).status_code == 200:
        pass
    assert_problem(archives.client.get(short["url"]), 403, "link")
    assert archives.client.get(long["url"]).status_code == 200
    archives.client.delete(job["url"], headers=archives.headers())
    assert_problem(archives.client.get(long["url"]), 403, "link")


def test_only_the_owner_gives_links_and_only_for_so_long(archives, job):
    other = archives.headers("0190a1b2-0000-7000-8000-00000000abcd")
    url = f"{job['result']}/links"
    assert_problem(archives.client.post(url, json={}, headers=other), 404)
    assert_problem(archives.client.post(url, json={}), 401)
    assert_problem(lent(archives, job, seconds=604_801), 422)
    assert_problem(lent(archives, job, seconds=0), 422)
    waiting = archives.order([{"name": "later", "text": ""}]).replace("/jobs/", "/archives/")
    answer = archives.client.post(f"{waiting}/links", json={}, headers=archives.headers())
    assert_problem(answer, 404)


def test_what_makes_a_link_hold_is_never_logged(archives, job):
    lines, root = io.StringIO(), logging.getLogger()
    before = (root.handlers[:], root.level)
    configure("archives", "DEBUG", lines)
    try:
        url = lent(archives, job).json()["url"]
        archives.client.get(url)
        archives.client.get(url + "x")
        logging.getLogger("any").error("fetching %s failed", url)
    finally:
        root.handlers[:], root.level = before
    token = url.partition("token=")[2]
    log = lines.getvalue()
    assert [json.loads(line) for line in log.splitlines()]
    assert token not in log
    assert token.partition(".")[2] not in log
