"""The suite twice: in one process, and as real processes under the production server."""

from __future__ import annotations

import io
import json
import logging
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from click.testing import CliRunner
from flask.cli import ScriptInfo

from glassware.cli.processes import Suite, free_ports
from glassware.observe.logging import configure
from glassware.testing import Mesh
from glassware.testing.mesh import ADDRESSES
from glassware_archives.app import service as archives
from glassware_auth import commands
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks

ROOT = Path(__file__).parents[2]
PASSWORD = "a long pass phrase, even"
USER_SCOPES = "tasks:read tasks:write archives:write"


@dataclass(frozen=True)
class Person:
    """Somebody who is registered and logged in."""

    url: str
    email: str
    token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class World(ABC):
    """A suite that runs, and how to speak to it."""

    file_port: int

    @abstractmethod
    def url(self, service: str) -> str: ...

    @abstractmethod
    def http(self, service: str) -> httpx2.Client: ...

    @abstractmethod
    def manage(self, *words: str) -> str:
        """Run a command of the auth service as its operator; return what it prints."""

    @abstractmethod
    def log(self) -> list[dict[str, Any]]:
        """Return the lines that all services have logged."""

    def person(self, name: str = "ann") -> Person:
        email = f"{name}-{uuid4().hex[:10]}@example.org"
        with self.http("auth") as client:
            body = {"email": email, "name": name.title(), "password": PASSWORD}
            made = client.post("/users", json=body)
            assert made.status_code == 201, made.text
            assert client.post(made.json()["activation"]).status_code == 200
            return self.log_in(made.json()["url"], email)

    def log_in(self, url: str, email: str) -> Person:
        with self.http("auth") as client:
            answer = client.post("/login", json={"email": email, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            tokens = answer.json()
        return Person(url, email, tokens["access_token"], tokens["refresh_token"])

    def account(self, scopes: str) -> dict[str, str]:
        """Return the headers of a service account with the scopes."""
        name = f"account-{uuid4().hex[:10]}"
        made = json.loads(self.manage("clients", "create", name, "--scopes", scopes, "--json"))
        credentials = f"{made['client_id']}:{made['client_secret']}".encode()
        with self.http("auth") as client:
            answer = client.post(
                "/oauth/token",
                data={"grant_type": "client_credentials"},
                headers={"Authorization": f"Basic {b64encode(credentials).decode()}"},
            )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


class InProcess(World):
    """The mesh: real apps, real tokens, no sockets but those of foreign sources."""

    def __init__(self, mesh: Mesh, lines: io.StringIO, file_port: int) -> None:
        self.mesh, self.lines, self.file_port = mesh, lines, file_port

    def url(self, service: str) -> str:
        return ADDRESSES[service]

    def http(self, service: str) -> httpx2.Client:
        return self.mesh.client(service, timeout=30)

    def manage(self, *words: str) -> str:
        info = ScriptInfo(create_app=lambda: self.mesh.apps["auth"])
        done = CliRunner().invoke(getattr(commands, words[0]), words[1:], obj=info)
        assert done.exit_code == 0, done.output
        return done.output

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]


class Processes(World):
    """Each service under its production server, as `make run` starts it."""

    def __init__(self, suite: Suite, file_port: int) -> None:
        self.suite, self.file_port = suite, file_port

    def url(self, service: str) -> str:
        return self.suite.members[service].url

    def http(self, service: str) -> httpx2.Client:
        return httpx2.Client(base_url=self.url(service), timeout=30, trust_env=False)

    def manage(self, *words: str) -> str:
        return self.suite.manage("auth", *words)

    def log(self) -> list[dict[str, Any]]:
        texts = [self.suite.log(name).read_text() for name in self.suite.members]
        return [json.loads(line) for text in texts for line in text.splitlines()]


@contextmanager
def in_process() -> Iterator[World]:
    file_port = free_ports(["file"])["file"]
    lines = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    configure("mesh", "INFO", lines)
    try:
        with Mesh([auth, tasks, archives], settings=settings(file_port)) as mesh:
            yield InProcess(mesh, lines, file_port)
    finally:
        root.handlers[:], root.level = before


@contextmanager
def processes(state: Path, more: Mapping[str, str] | None = None) -> Iterator[Processes]:
    ports = free_ports(["auth", "tasks", "archives", "file"])
    suite = Suite(ROOT, state, ports=ports, settings={**settings(ports["file"]), **(more or {})})
    try:
        suite.prepare()
        suite.start()
        yield Processes(suite, ports["file"])
    finally:
        suite.stop()


def settings(file_port: int) -> dict[str, str]:
    return {
        "archives.allowed_sources": f"http://127.0.0.1:{file_port}",
        "archives.source_timeout": "3",
        "auth.keys_cooldown": "0.5",
    }
