"""A job acts for whoever asked for it by token exchange, and keeps no token of theirs."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx2
import jwt
import pytest

from glassware.db.seal import Seal
from glassware.jobs.worker import Worker
from glassware.testing import Mesh, assert_problem
from glassware_archives.app import service as archives
from glassware_archives.models import db
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks

LATER = {"Prefer": "respond-async"}
#: Seconds that a person's own token holds here.
LIFETIME = 6


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    settings = {"auth.access_lifetime": str(LIFETIME), "auth.leeway": "0"}
    with Mesh([tasks, archives, auth], settings=settings) as running:
        yield running


class Person:
    """Somebody who has signed in, and has a task."""

    def __init__(self, mesh: Mesh, name: str) -> None:
        self.mesh = mesh
        self.account = {"email": f"{name}@example.org", "password": "correct horse battery"}
        with mesh.client("auth") as client:
            made = client.post("/users", json={**self.account, "name": name}).json()
            client.post(made["activation"])
        self.url, self.name = made["url"], name
        self.sign_in()
        with mesh.client("tasks") as client:
            body = {"title": f"Task of {name}", "person": self.url}
            assert client.post("/tasks", json=body, headers=self.headers).status_code == 201

    def sign_in(self) -> None:
        with self.mesh.client("auth") as client:
            self.token = client.post("/login", json=self.account).json()["access_token"]
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def order(self, *entries: dict[str, str]) -> httpx2.Response:
        with self.mesh.client("archives") as client:
            headers = {**self.headers, **LATER}
            return client.post("/archives", json={"entries": entries}, headers=headers)

    def job(self, url: str) -> Any:
        self.sign_in()
        with self.mesh.client("archives") as client:
            return client.get(url, headers=self.headers).json()


TASKS = {"name": "tasks.json", "service": "tasks", "path": "/tasks"}


def work(mesh: Mesh) -> None:
    app = mesh.apps["archives"]
    with app.app_context():
        assert Worker(app).step()


def newest(mesh: Mesh) -> Any:
    """Return the row of the newest job."""
    app = mesh.apps["archives"]
    jobs = app.extensions["glassware"].jobs.table
    with app.app_context(), db.engine.connect() as connection:
        return connection.execute(jobs.select().order_by(jobs.c.id.desc()).limit(1)).one()


def kept(mesh: Mesh) -> dict[str, Any]:
    """Return what the newest job keeps, unsealed."""
    row, queue = newest(mesh), mesh.apps["archives"].extensions["glassware"].jobs
    return json.loads(Seal(queue.key, str(row.id)).opened(row.sealed))


def test_a_job_acts_for_the_person_when_their_own_token_has_long_expired(mesh: Mesh) -> None:
    ann = Person(mesh, "ann")
    answer = ann.order(TASKS)
    assert answer.status_code == 202, answer.text
    assert ann.token not in json.dumps(kept(mesh))
    time.sleep(LIFETIME + 0.1)
    work(mesh)
    job = ann.job(answer.headers["Location"])
    assert job["state"] == "done", job
    with mesh.client("archives") as client:
        content = client.get(job["result"], headers=ann.headers).content
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert b"Task of ann" in packed.read("tasks.json")


def test_what_a_job_keeps_opens_nothing_by_itself(mesh: Mesh) -> None:
    ben = Person(mesh, "ben")
    assert ben.order(TASKS).status_code == 202
    secret = kept(mesh)["kept"]
    with mesh.client("tasks") as client:
        refused = client.get("/tasks", headers={"Authorization": f"Bearer {secret}"})
        assert_problem(refused, 401)
    with mesh.client("auth") as client:
        form = {"grant_type": "refresh_token", "refresh_token": secret}
        assert client.post("/oauth/token", data=form).json()["error"] == "invalid_grant"
    work(mesh)


def test_the_neighbour_sees_the_person_and_who_acts(mesh: Mesh) -> None:
    eve = Person(mesh, "eve")
    assert eve.order(TASKS).status_code == 202
    queue = mesh.apps["archives"].extensions["glassware"].jobs
    acting = queue.acting(kept(mesh))
    claims = jwt.decode(acting.token(), options={"verify_signature": False})
    assert eve.url.endswith(claims["sub"])
    assert claims["act"] == {"sub": "archives"}
    assert claims["scope"] == "tasks:read"
    work(mesh)


def test_the_job_of_somebody_who_was_deactivated_ends_and_says_why(mesh: Mesh) -> None:
    joe = Person(mesh, "joe")
    answer = joe.order(TASKS)
    mesh.manage("users", "deactivate", joe.account["email"])
    work(mesh)
    row = newest(mesh)
    told = row.problem
    assert (answer.status_code, row.state) == (202, "failed")
    assert told["status"] == 403
    assert told["entry"] == "tasks.json"
    assert "sign in again" in told["cause"]["detail"]


def test_who_may_not_be_acted_for_is_told_at_once(mesh: Mesh) -> None:
    """A token that is another's already, or that has no scope the service acts within."""
    sue = Person(mesh, "sue")
    with mesh.client("auth") as client:
        narrow = {**sue.account, "scope": "archives:write"}
        token = client.post("/login", json=narrow).json()["access_token"]
    sue.headers = {"Authorization": f"Bearer {token}"}
    assert "share no scope" in assert_problem(sue.order(TASKS), 403)["cause"]["detail"]


def test_a_job_that_calls_no_neighbour_asks_for_no_right(mesh: Mesh) -> None:
    kim = Person(mesh, "kim")
    assert kim.order({"name": "x", "text": "x"}).status_code == 202
    assert not {"kept", "token"} & set(kept(mesh))
    work(mesh)
