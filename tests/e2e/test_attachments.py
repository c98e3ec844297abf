"""A person's tasks and what is attached to them in one archive, fetched as that person."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from glassware.problems import chain
from glassware.testing import assert_problem
from glassware.testing.mesh import ADDRESSES
from tests.e2e.test_jobs import finished, order
from tests.e2e.test_journeys import add_task, unpack
from tests.e2e.worlds import ROOT, Person, World, processes

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


def commands(service: str) -> Iterator[str]:
    """Yield the commands of the service's README that are about attachments."""
    command = ""
    for line in (ROOT / "services" / service / "README.rst").read_text().splitlines():
        begins = line.strip().startswith("$ curl")
        command = line.strip().removeprefix("$ ") if begins else command and f"{command}\n{line}"
        with suppress(ValueError):
            if command and shlex.split(command) and not command.endswith("\\"):
                yield command
                command = ""


@pytest.mark.processes
def test_what_the_readmes_say_of_attachments_is_so(tmp_path: Path) -> None:
    (tmp_path / "minutes.txt").write_text("We met.\n")
    told = [each for name in ("tasks", "archives") for each in commands(name)]
    told = [each for each in told if "attachments/" in each]
    assert len(told) == 4
    with processes(tmp_path / "suite") as suite:
        cay = suite.person("cay")
        id = add_task(suite, cay, "to meet")["url"].rpartition("/")[2]
        script = "\n".join(['curl() { command curl -sS --fail-with-body "$@"; }', *told])
        for name, address in ADDRESSES.items():
            script = script.replace(address, suite.url(name))
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=tmp_path,
            env={**os.environ, "TOKEN": cay.token, "ID": id},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    document, _, rest = done.stdout.partition("}")
    assert json.loads(document + "}")["name"] == "minutes.txt"
    assert rest.strip() == "We"
    assert (tmp_path / "copy.txt").read_text() == "We met.\n"
    packed = unpack((tmp_path / "tasks.zip").read_bytes(), "zip")
    assert packed["minutes.txt"] == b"We met.\n"
    assert b"to meet" in packed["tasks.json"]
