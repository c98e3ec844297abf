"""The three real services in this process, with an administrator who may do everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from glassware.jobs.worker import Worker
from glassware.openapi import spec
from glassware.testing import Mesh
from glassware_archives.app import service as archives
from glassware_auth.app import service as auth
from glassware_auth.domain import users
from glassware_auth.models import db
from glassware_tasks.app import service as tasks

PASSWORD = "correct horse battery staple"
MAX_BODY = 65_536
EMAIL = "ada@example.org"


class Suite:
    """The services, and people who call them."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.apps = mesh.apps
        self.person = self.add(EMAIL, admin=True)
        self.headers = self.login(EMAIL)

    def add(self, email: str, **facts: Any) -> str:
        """Return the URL of a new person."""
        app = self.apps["auth"]
        with app.app_context():
            parts = app.extensions["glassware"].parts
            user = users.add(parts, PASSWORD, email=email, name="Ada", activated=True, **facts)
            db.session.commit()
            return f"http://127.0.0.1:7001/users/{user.id}"

    def login(self, email: str) -> dict[str, str]:
        with self.mesh.client("auth") as client:
            grant = client.post("/login", json={"email": email, "password": PASSWORD}).json()
        return {"Authorization": f"Bearer {grant['access_token']}"}

    def call(self, name: str, method: str, path: str, **kwargs: Any) -> Any:
        with self.mesh.client(name) as client:
            return client.request(method, path, **kwargs)

    def page(self, name: str, path: str, **headers: str) -> Any:
        """Return what a browser is given."""
        accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        return self.call(name, "GET", path, headers={"Accept": accept, **headers})

    def job(self) -> str:
        """Return the id of a job that has built an archive."""
        body = {"entries": [{"name": "a", "text": "a"}]}
        headers = {**self.headers, "Prefer": "respond-async", "Cache-Control": "no-cache"}
        job = self.call("archives", "POST", "/archives", headers=headers, json=body).json()
        assert job["state"] == "waiting", job
        with self.apps["archives"].app_context():
            assert Worker(self.apps["archives"]).step()
        return str(job["url"].rpartition("/")[2])

    def task(self, title: str = "Write the minutes") -> Any:
        """Return a new task, its ETag as ``etag``."""
        body = {"title": title, "person": self.person}
        answer = self.call("tasks", "POST", "/tasks", headers=self.headers, json=body)
        assert answer.status_code == 201, answer.text
        return {**answer.json(), "etag": answer.headers["ETag"]}

    def document(self, name: str) -> Any:
        return spec.document(self.apps[name])


@pytest.fixture(scope="session")
def suite() -> Iterator[Suite]:
    # Without rate limits: they would answer in the place of what is looked at.
    settings = {"limits.storage": "", "server.max_body": str(MAX_BODY)}
    with Mesh([auth, tasks, archives], settings=settings) as mesh:
        yield Suite(mesh)
