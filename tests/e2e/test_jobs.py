"""Archives that are built when nobody waits: asked for, polled, fetched whole or in ranges."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from glassware.jobs.worker import Worker
from glassware.testing import assert_problem
from glassware_archives.domain.bucket import Bucket, Place
from tests import servers
from tests.e2e import worlds
from tests.e2e.sources import source

LATER = {"Prefer": "respond-async"}
ENDED = {"done", "failed", "cancelled"}


def order(world: worlds.World, who: worlds.Person, body: Any, **headers: str) -> Any:
    with world.http("archives") as client:
        return client.post("/archives", json=body, headers={**who.headers, **LATER, **headers})


def finished(world: worlds.World, who: worlds.Person, url: str, patience: float = 40) -> Any:
    """Wait until the job has ended; in one process, the worker is ours to drive."""
    deadline = time.monotonic() + patience
    while True:
        if isinstance(world, worlds.InProcess):
            app = world.mesh.apps["archives"]
            with app.app_context():
                Worker(app).step()
        with world.http("archives") as client:
            job = client.get(url, headers=who.headers).json()
        if job["state"] in ENDED:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.1)


def test_an_archive_that_nobody_waits_for_is_the_one_that_is_streamed(
    world: worlds.World, ann: worlds.Person, ben: worlds.Person
) -> None:
    with world.http("tasks") as client:
        client.post("/tasks", json={"title": "x", "person": ann.url}, headers=ann.headers)
    entries = [
        {"name": "tasks.json", "service": "tasks", "path": "/tasks"},
        {"name": "bytes", "base64": b64encode(bytes(range(256)) * 1000).decode()},
    ]
    body = {"format": "tar", "name": "mine", "entries": entries}
    answer = order(world, ann, body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert answer.headers["Location"] == answer.json()["url"]
    job = finished(world, ann, answer.headers["Location"])
    assert job["state"] == "done", job
    with world.http("archives") as client:
        streamed = client.post("/archives", json=body, headers=ann.headers).content
        whole = client.get(job["result"], headers=ann.headers)
        assert whole.content == streamed
        assert job["done"] == len(streamed) == int(whole.headers["Content-Length"])
        assert "filename=mine.tar" in whole.headers["Content-Disposition"].replace('"', "")
        digest = hashlib.sha256(streamed).digest()
        assert whole.headers["Repr-Digest"] == f"sha-256=:{b64encode(digest).decode()}:"
        tag = whole.headers["ETag"]
        headers = {**ann.headers, "Range": "bytes=1000-"}
        rest = client.get(job["result"], headers={**headers, "If-Range": tag})
        assert (rest.status_code, rest.content) == (206, streamed[1000:])
        assert rest.headers["Content-Range"] == f"bytes 1000-{len(streamed) - 1}/{len(streamed)}"
        other = client.get(job["result"], headers={**headers, "If-Range": '"another"'})
        assert (other.status_code, other.content) == (200, streamed)
        for odd in ("bytes=0-1,5-6", "lines=1-2", "bytes=x"):
            all_of_it = client.get(job["result"], headers={**ann.headers, "Range": odd})
            assert (all_of_it.status_code, all_of_it.content) == (200, streamed)
        beyond = client.get(job["result"], headers={**ann.headers, "Range": "bytes=9999999-"})
        assert_problem(beyond, 416)
        same = client.get(job["result"], headers={**ann.headers, "If-None-Match": tag})
        assert same.status_code == 304
        assert_problem(client.get(job["result"], headers=ben.headers), 404)
        assert client.delete(job["url"], headers=ann.headers).status_code == 204
        assert_problem(client.get(job["result"], headers=ann.headers), 404)


def test_what_cannot_be_built_says_why_with_the_neighbours_own_problem(
    world: worlds.World, ann: worlds.Person
) -> None:
    entry = {"name": "x", "service": "tasks", "path": "/tasks/no-such"}
    answer = order(world, ann, {"entries": [entry]})
    job = finished(world, ann, answer.headers["Location"])
    assert job["state"] in ("failed", "waiting"), job
    assert job["problem"]["cause"]["status"] == 404
    assert job["problem"]["cause"]["service"] == "tasks"
    assert job["result"] is None
    refused = order(world, ann, {"entries": [{"name": "../x", "text": ""}] * 2})
    assert refused.status_code in (202, 422)


def test_an_order_that_is_sent_again_is_one_job(world: worlds.World, ann: worlds.Person) -> None:
    body = {"entries": [{"name": "x", "text": "once"}]}
    answers = [order(world, ann, body, **{"Idempotency-Key": "again"}) for _ in range(3)]
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert finished(world, ann, answers[0].headers["Location"])["state"] == "done"


@pytest.mark.processes
@pytest.mark.parametrize(
    ("carrier", "store"),
    [
        ("table", "disk"),
        ("redis", "s3"),
        pytest.param("rabbitmq", "disk", marks=pytest.mark.rabbitmq),
    ],
)
def test_processes_that_are_killed_lose_no_job_and_no_half_of_a_file_is_served_or_left(
    tmp_path: Path, carrier: str, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    settings = {"jobs.lease": "1.5", "jobs.poll": "0.3"}
    with ExitStack() as stack:
        if carrier in servers.BROKERS:
            settings["jobs.broker"] = stack.enter_context(servers.BROKERS[carrier]()).url
        if store == "s3":
            settings["archives.s3_endpoint"] = stack.enter_context(servers.s3())
            settings["archives.store"] = "s3://archives"
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                monkeypatch.setenv(name, "of-the-tests")
        suite = stack.enter_context(worlds.processes(tmp_path, settings))
        files = stack.enter_context(source(suite.file_port))
        ann = suite.person()
        entries = [
            {"name": "slow", "url": f"{files.url}/slow/150"},
            {"name": "x", "text": "end"},
        ]
        wish = {"format": "tar", "entries": entries}
        urls = [insisted(suite, ann, {**wish, "name": f"n{number}"}) for number in range(5)]
        more = ThreadPoolExecutor(1).submit(
            lambda: [insisted(suite, ann, {**wish, "name": f"m{number}"}) for number in range(5)]
        )
        for victim in ("archives-worker", "archives", "archives-worker"):
            time.sleep(chance.uniform(0.8, 2.0))
            kill(suite, victim)
            for url in urls:
                file_is_whole_or_absent(suite, ann, url)
        urls += more.result(60)
        jobs = [finished(suite, ann, url, 180) for url in urls]
        with suite.http("archives") as client:
            listed = client.get("/jobs?limit=100", headers=ann.headers).json()["items"]
        assert sorted(job["url"] for job in listed) == sorted(urls), "lost, or made twice"
        assert {job["state"] for job in jobs} <= {"done", "failed"}, jobs
        done = [job for job in jobs if job["state"] == "done"]
        with suite.http("archives") as client:
            found = {client.get(job["result"], headers=ann.headers).content for job in done}
        assert len(found) == 1
        assert len(found.pop()) > 150 * 65_536
        assert attempts(tmp_path) > len(jobs), "no job was hit"
        if store == "s3":
            # A worker sweeps when it starts.
            kill(suite, "archives-worker")
            in_the_end_there_is_only(settings["archives.s3_endpoint"], done)


def insisted(world: worlds.World, who: worlds.Person, body: Any, patience: float = 60) -> str:
    """Order an archive, again and again while nobody answers; return the URL of its job."""
    key, deadline = uuid4().hex, time.monotonic() + patience
    time.sleep(0.3)
    while True:
        with suppress(httpx2.TransportError):
            answer = order(world, who, body, **{"Idempotency-Key": key})
            if answer.status_code == 202:
                return str(answer.headers["Location"])
            assert answer.status_code in (409, 503), answer.text
        assert time.monotonic() < deadline
        time.sleep(0.1)


def kill(suite: worlds.Processes, name: str) -> None:
    """Kill a process and all of its own, and start it anew."""
    suite.suite.running[name].kill()
    verb = "worker" if name.endswith("-worker") else "runserver"
    suite.suite.launch(name, "archives", verb)
    suite.suite.wait()


def in_the_end_there_is_only(endpoint: str, jobs: list[Any], patience: float = 60) -> None:
    """Wait until the bucket holds the jobs' archives with their facts, and no unfinished upload."""
    words = dict.fromkeys(("access_key", "secret_key"), "of-the-tests")
    bucket = Bucket(Place("archives", "", endpoint, "us-east-1", **words), 1, False)
    kept = {job["result"].rpartition("/")[2] for job in jobs}
    deadline = time.monotonic() + patience
    while True:
        items = list(bucket.listed("list_objects_v2", "Contents", lambda *_: False))
        uploads = list(bucket.listed("list_multipart_uploads", "Uploads", lambda *_: False))
        if not uploads and len(items) == 2 * len(kept):
            break
        assert time.monotonic() < deadline, (items, uploads)
        time.sleep(0.2)
    assert {item["Key"].partition(".")[0] for item in items} == kept
    bucket.client.close()


def attempts(state: Path) -> int:
    with closing(sqlite3.connect(state / "archives" / "archives.sqlite")) as database:
        return int(database.execute("SELECT sum(attempts) FROM jobs").fetchone()[0])


def file_is_whole_or_absent(suite: worlds.Processes, who: worlds.Person, url: str) -> None:
    with suite.http("archives") as client:
        file = client.get(url.replace("/jobs/", "/archives/"), headers=who.headers)
        job = client.get(url, headers=who.headers).json()
    assert file.status_code in (200, 404)
    if file.status_code == 200:
        assert job["state"] == "done"
        assert len(file.content) == job["done"]
