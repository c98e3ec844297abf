"""Entries that are resources of a neighbour: the real tasks service, in this process."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from collections.abc import Iterator

import httpx2
import pytest

from glassware.testing import Mesh, assert_problem
from glassware_archives.app import service as archives
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks

MEDIA = ("application/json", "application/xml")


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    # What tells its size before its content is written as it comes, and is not put aside.
    with Mesh([auth, tasks, archives], settings={"archives.max_spool": "1000"}) as running:
        deadline = time.monotonic() + 10
        # On a busy machine the issuer's keys may take a moment to come.
        for name in ("tasks", "archives"):
            with running.client(name) as client:
                while client.get("/health/ready").status_code != 200:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        yield running


@pytest.fixture(scope="module")
def ann(mesh: Mesh) -> dict[str, str]:
    """Register somebody; return the headers of their calls."""
    account = {"email": "ann@example.org", "password": "correct horse battery staple"}
    with mesh.client("auth") as client:
        registered = client.post("/users", json={**account, "name": "Ann"}).json()
        client.post(registered["activation"])
        token = client.post("/login", json=account).json()["access_token"]
    return {"Authorization": f"Bearer {token}", "X-Person": registered["url"]}


@pytest.fixture(scope="module")
def task(mesh: Mesh, ann: dict[str, str]) -> str:
    """Return the path of a task of Ann's."""
    with mesh.client("tasks") as client:
        body = {"title": "Water the plants", "person": ann["X-Person"]}
        made = client.post("/tasks", json=body, headers=ann)
        return httpx2.URL(made.headers["Location"]).path


@pytest.mark.contract
@pytest.mark.parametrize("accept", MEDIA)
def test_what_a_neighbour_answers_is_in_the_archive_as_it_was_sent(
    mesh: Mesh, ann: dict[str, str], task: str, accept: str
) -> None:
    paths = ("/tasks", task)
    entries = [
        {"name": f"{number}", "service": "tasks", "path": path, "accept": accept}
        for number, path in enumerate(paths)
    ]
    with mesh.client("archives") as client:
        answer = client.post("/archives", json={"entries": entries}, headers=ann)
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    with mesh.client("tasks") as client:
        for number, path in enumerate(paths):
            sent = client.get(path, headers={**ann, "Accept": accept})
            assert packed.read(f"{number}") == sent.content


@pytest.mark.contract
@pytest.mark.parametrize("more", [{}, {"accept": "*/*"}, {"accept": "text/x-notes"}], ids=str)
def test_an_attachment_of_a_task_is_in_the_archive_as_it_was_attached(
    mesh: Mesh, ann: dict[str, str], task: str, more: dict[str, str]
) -> None:
    path, content = f"{task}/attachments/notes%20of%20May.txt", bytes(range(256)) * 4000
    with mesh.client("tasks") as client:
        headers = {**ann, "Content-Type": "text/x-notes"}
        if client.get(path, headers=ann).status_code == 404:
            client.put(path, content=content, headers=headers).raise_for_status()
    entry = {"name": "notes.txt", "service": "tasks", "path": path, **more}
    with mesh.client("archives") as client:
        body = {"format": "tar", "entries": [entry]}
        answer = client.post("/archives", json=body, headers=ann)
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as packed:
        found = packed.extractfile("notes.txt")
        assert found is not None
        assert found.read() == content


@pytest.mark.contract
def test_what_a_neighbour_does_not_have_is_a_problem_with_its_own_as_the_cause(
    mesh: Mesh, ann: dict[str, str], task: str
) -> None:
    entry = {"name": "a", "service": "tasks", "path": task[:-12] + "000000000000"}
    with mesh.client("archives") as client:
        answer = client.post("/archives", json={"entries": [entry]}, headers=ann)
    assert assert_problem(answer, 502, "upstream")["cause"]["status"] == 404


def test_what_a_neighbour_has_in_another_medium_is_taken_as_it_is(
    mesh: Mesh, ann: dict[str, str], task: str
) -> None:
    entry = {"name": "a", "service": "tasks", "path": task, "accept": "text/html"}
    with mesh.client("archives") as client:
        answer = client.post("/archives", json={"entries": [entry]}, headers=ann)
        refused = {**entry, "accept": "text/html\r\nX-Evil: 1"}
        assert_problem(client.post("/archives", json={"entries": [refused]}, headers=ann), 422)
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    with mesh.client("tasks") as client:
        sent = client.get(task, headers={**ann, "Accept": "text/html"})
    assert packed.read("a") == sent.content
    assert sent.headers["Content-Type"].startswith("text/html")
