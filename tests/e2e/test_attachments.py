"""A person's tasks and what is attached to them in one archive, fetched as that person."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import urlsplit

import pytest

from glassware.problems import chain
from glassware.testing import assert_problem
from tests.e2e.test_jobs import finished, order
from tests.e2e.test_journeys import add_task, unpack
from tests.e2e.worlds import Person, World

FILES = {
    "Größe & Maß.csv": ("text/csv; charset=utf-8", "a;ä\n".encode()),
    "photo.bin": ("application/octet-stream", random.Random(7).randbytes(3_000_000)),
}


def attach(world: World, who: Person, task: dict[str, Any]) -> dict[str, str]:
    """Attach the files to the task; return their paths by their names."""
    with world.http("tasks") as client:
        client.headers.update(who.headers)
        for name, (kind, content) in FILES.items():
            url = f"{task['url']}/attachments/{name}"
            made = client.put(url, content=content, headers={"Content-Type": kind})
            assert made.status_code == 201, made.text
        listed = client.get(f"{task['url']}/attachments").json()["items"]
    return {item["name"]: urlsplit(item["url"]).path for item in listed}


def entries(paths: dict[str, str]) -> list[dict[str, str]]:
    files = [{"name": name, "service": "tasks", "path": path} for name, path in paths.items()]
    return [{"name": "tasks.json", "service": "tasks", "path": "/tasks"}, *files]


def assert_all_of_it(archive: bytes, form: str, title: str) -> None:
    found = unpack(archive, form)
    assert title in [item["title"] for item in json.loads(found.pop("tasks.json"))["items"]]
    assert found == {name: content for name, (_, content) in FILES.items()}


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_an_archive_holds_a_persons_tasks_and_their_attachments(
    world: World, ann: Person, form: str
) -> None:
    paths = attach(world, ann, add_task(world, ann, f"to be packed as {form}"))
    with world.http("archives") as client:
        body = {"format": form, "entries": entries(paths)}
        answer = client.post("/archives", json=body, headers=ann.headers)
    assert answer.status_code == 200, answer.text
    assert_all_of_it(answer.content, form, f"to be packed as {form}")


def test_a_job_packs_them_for_the_person(world: World, ann: Person) -> None:
    paths = attach(world, ann, add_task(world, ann, "to be packed later"))
    ordered = order(world, ann, {"format": "tar", "entries": entries(paths)})
    assert ordered.status_code == 202, ordered.text
    job = finished(world, ann, ordered.headers["Location"])
    assert job["state"] == "done", job
    with world.http("archives") as client:
        archive = client.get(job["result"], headers=ann.headers).content
    assert_all_of_it(archive, "tar", "to be packed later")


def test_nobody_packs_the_attachments_of_another(world: World, ann: Person, ben: Person) -> None:
    paths = attach(world, ann, add_task(world, ann, "private to Ann"))
    with world.http("archives") as client:
        client.headers.update(ben.headers)
        refused = client.post("/archives", json={"entries": entries(paths)})
        reported = client.post("/archives", json={"on_error": "report", "entries": entries(paths)})
    document = assert_problem(refused, 502, "upstream")
    assert document["entry"] in FILES
    assert [link["status"] for link in chain(document)] == [502, 404]
    found = unpack(reported.content, "zip")
    assert set(found) == {"tasks.json", "_errors.json"}
    assert b"private to Ann" not in found["tasks.json"]
    errors = json.loads(found["_errors.json"])["errors"]
    assert {each["name"]: each["problem"]["cause"]["status"] for each in errors} == dict.fromkeys(
        FILES, 404
    )
