"""The toy shop on each database and each broker, with a worker that the test drives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import text

from glassware.client.transports import WSGITransport
from glassware.jobs.worker import Worker
from glassware.testing import Issuer
from glassware.testing.postgres import Postgres
from tests import servers

from . import toys

URL = "http://127.0.0.1:7009"


class Shop:
    """The app, its callers, and a worker."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.issuer = Issuer()
        self.me = str(uuid4())
        self.settings = {
            "service.mode": "development",
            "service.state_dir": str(folder),
            "service.secrets_dir": str(folder / "secrets"),
            "limits.storage": "",
            "jobs.poll": "0.2" if "jobs.broker" in settings else "0.02",
            **settings,
        }
        self.apps: list[Any] = []
        self.open, self.listens = ExitStack(), False
        self.app = self.another()
        self.queue = self.app.extensions["glassware"].jobs
        self.worker = Worker(self.app)
        self.client = httpx2.Client(base_url=URL, transport=WSGITransport(self.app))
        toys.DONE.clear()

    def another(self) -> Any:
        """Return an app of its own, as another process would have."""
        transports = {"auth": self.issuer.transport}
        self.apps.append(toys.service.create_app(self.settings, environ={}, transports=transports))
        return self.apps[-1]

    def headers(self, subject: str = "", **more: str) -> dict[str, str]:
        return {**self.issuer.headers(subject or self.me, "toys"), **more}

    def order(self, kind: str, **wish: Any) -> str:
        """Order a toy; return the URL of the job."""
        answer = self.client.post("/toys", json={"kind": kind, **wish}, headers=self.headers())
        assert answer.status_code == 202, answer.text
        return answer.headers["Location"]

    def look(self, url: str, **headers: str) -> Any:
        answer = self.client.get(url, headers=self.headers(**headers))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def step(self) -> bool:
        """Have the worker do what a message or the table says is due, if anything is."""
        carrier = self.queue.carrier
        if carrier and not self.listens:
            self.listens = True
            self.open.enter_context(carrier.received(self.worker.hand))
        hint = next(self.worker.orders()) if carrier else None
        with self.app.app_context():
            return self.worker.step(hint)

    def close(self) -> None:
        for app in self.apps:
            with app.app_context():
                toys.db.close()
            if carrier := app.extensions["glassware"].jobs.carrier:
                if self.listens:
                    carrier.broker.flush_all()  # what was not taken would be the next shop's
                carrier.broker.close()

    def sql(self, statement: str) -> Any:
        with self.app.app_context(), toys.db.engine.begin() as connection:
            return connection.execute(text(statement))

    def hurry(self) -> None:
        """Let everything be due."""
        self.sql("UPDATE jobs SET due_at = '2020-01-01 00:00:00'")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture(scope="session")
def brokers() -> Iterator[Callable[[str], str]]:
    """Start a broker when it is first asked for; return its URL."""
    urls: dict[str, str] = {}
    with ExitStack() as stack:

        def url(name: str) -> str:
            if name not in urls:
                urls[name] = stack.enter_context(servers.BROKERS[name]()).url
            return urls[name]

        yield url


CARRIED = ["redis", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]


@pytest.fixture(params=["sqlite", "postgresql", *CARRIED])
def shop(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    cluster: Postgres,
    brokers: Callable[[str], str],
) -> Iterator[Shop]:
    settings = {}
    if request.param in servers.BROKERS:
        settings["jobs.broker"] = brokers(request.param)
    name = f"toys_{uuid4().hex[:8]}"
    if request.param == "postgresql":
        cluster.create(name)
        settings["database.url"] = cluster.url(name, "migrate")
    shop = Shop(tmp_path, settings)
    with shop.app.app_context():
        toys.db.create_all()
    with shop.open:
        yield shop
        shop.worker.stopping.set()
    shop.close()
    if request.param == "postgresql":
        cluster.drop(name)
