"""The tasks service beside the real auth service, and people who call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from sqlalchemy import delete, select

from glassware.client.transports import NetworkTransport
from glassware.service import Service
from glassware.testing import Mesh
from glassware_auth.app import service as auth
from glassware_auth.domain import users
from glassware_auth.models import db as auth_db
from glassware_tasks.app import service as tasks
from glassware_tasks.models import Attachment, Task
from glassware_tasks.models import db as tasks_db

AUTH = "http://127.0.0.1:7001"
PASSWORD = "correct horse battery staple"


@dataclass
class Person:
    """Somebody who has signed in, with a token for each set of scopes asked for."""

    house: House
    email: str
    id: str
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{AUTH}/users/{self.id}"

    def headers(self, scope: str = "", **more: str) -> dict[str, str]:
        """Return the headers of a call with these scopes, or with all that the person may have."""
        if scope not in self.tokens:
            given = {
                "email": self.email,
                "password": PASSWORD,
                **({"scope": scope} if scope else {}),
            }
            answer = self.house.auth.post("/login", json=given)
            assert answer.status_code == 200, answer.text
            self.tokens[scope] = answer.json()["access_token"]
        return {"Authorization": f"Bearer {self.tokens[scope]}", **more}

    def call(self, method: str, url: str, scope: str = "", **request: Any) -> httpx2.Response:
        headers = self.headers(scope, **request.pop("headers", {}))
        return self.house.tasks.request(method, url, headers=headers, **request)

    def get(self, url: str, **headers: str) -> httpx2.Response:
        return self.call("GET", url, headers=headers)

    def put(self, url: str, content: bytes, **headers: str) -> httpx2.Response:
        """Put bytes as they are."""
        return self.call("PUT", url, content=content, headers=headers)

    def add(self, title: str = "a", **task: Any) -> httpx2.Response:
        """Add a task, of their own unless a person is given."""
        response = self.call("POST", "/tasks", json={"title": title, "person": self.url, **task})
        assert response.status_code == 201, response.text
        return response

    def attach(self, task: str, name: str, content: bytes, **headers: str) -> httpx2.Response:
        """Attach a file to the task at the URL, where it has none of this name."""
        response = self.put(f"{task}/attachments/{quote(name, safe='')}", content, **headers)
        assert response.status_code == 201, response.text
        return response

    def attached(self, task: str) -> list[dict[str, Any]]:
        """Return the attachments of the task at the URL, as they are listed."""
        items: list[dict[str, Any]] = self.get(f"{task}/attachments").json()["items"]
        return items


class House:
    """Both services, running in this process."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.auth, self.tasks = mesh.client("auth"), mesh.client("tasks")
        self.count = 0

    def person(self, admin: bool = False) -> Person:
        """Create a person as an operator does."""
        self.count += 1
        email = f"person{self.count}@example.org"
        app = self.mesh.apps["auth"]
        with app.app_context():
            parts = app.extensions["glassware"].parts
            about = {"email": email, "name": "A person", "admin": admin}
            user = users.add(parts, PASSWORD, activated=True, **about)
            auth_db.session.commit()
            return Person(self, email, str(user.id))

    def account(self, admin: Person, scopes: str) -> dict[str, str]:
        """Create a service account; return the headers of its calls."""
        self.count += 1
        given = {"client_id": f"account-{self.count}", "scopes": scopes.split()}
        made = self.auth.post("/clients", headers=admin.headers(), json=given).json()
        granted = self.auth.post(
            "/oauth/token",
            auth=(made["client_id"], made["client_secret"]),
            data={"grant_type": "client_credentials"},
        )
        return {"Authorization": f"Bearer {granted.json()['access_token']}"}

    def rows(self) -> list[str]:
        """Return all tasks and attachments, column by column."""
        with self.mesh.apps["tasks"].app_context():
            tables = (Task.__table__, Attachment.__table__)
            return sorted(
                repr(row) for each in tables for row in tasks_db.session.execute(select(each))
            )

    def clear(self) -> None:
        with self.mesh.apps["tasks"].app_context():
            tasks_db.session.execute(delete(Task))
            tasks_db.session.commit()


class SickWay(httpx2.BaseTransport):
    """The way to the auth service, on which only calls for people go astray.

    ``elsewhere`` is where they end up: an address where nobody listens, or nobody answers.
    """

    def __init__(self, inner: httpx2.BaseTransport, elsewhere: str) -> None:
        self.inner, self.elsewhere = inner, httpx2.URL(elsewhere)
        self.network = NetworkTransport()
        self.sick = True

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request on its way."""
        if not (self.sick and request.url.path.startswith("/users/")):
            return self.inner.handle_request(request)
        url = request.url.copy_with(host=self.elsewhere.host, port=self.elsewhere.port)
        stray = httpx2.Request(
            request.method, url, headers=request.headers, extensions=request.extensions
        )
        return self.network.handle_request(stray)


Start = Callable[..., House]


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Start the services, on a sick way between them where ``elsewhere`` is given."""
    with ExitStack() as stack:

        def run(
            elsewhere: str = "", services: tuple[Service, ...] = (auth, tasks), **more: str
        ) -> House:
            settings = {key.replace("__", "."): value for key, value in more.items()}
            mesh = Mesh(services, settings={"auth.access_lifetime": "3600", **settings})
            if elsewhere:
                mesh.transports["auth"] = SickWay(mesh.transports["auth"], elsewhere)
            return House(stack.enter_context(mesh))

        yield run


def ready(house: House) -> House:
    """Return the house; on a busy machine the issuer's keys may take a moment to come."""
    deadline = time.monotonic() + 10
    while house.tasks.get("/health/ready").status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    return house


@pytest.fixture(scope="session")
def one_house(start: Start) -> House:
    return ready(start())


@pytest.fixture(scope="session")
def small_house(start: Start) -> House:
    """Both services, where a task has at most two attachments of ten bytes."""
    return ready(start(tasks__max_attachment="10", tasks__attachments_per_task="2"))


@pytest.fixture
def house(one_house: House) -> House:
    """Both services, without a task."""
    one_house.clear()
    return one_house


@pytest.fixture(scope="session")
def admin(one_house: House) -> Person:
    return one_house.person(admin=True)


@pytest.fixture(scope="session")
def alice(one_house: House) -> Person:
    return one_house.person()


@pytest.fixture(scope="session")
def bob(one_house: House) -> Person:
    return one_house.person()


@pytest.fixture
def task(house: House, alice: Person) -> str:
    """Return the URL of a task of Alice's, the only one."""
    return str(alice.add().json()["url"])
