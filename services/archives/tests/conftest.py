"""The service alone, with tokens of an issuer of the tests, and a worker that they drive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from glassware.client.transports import WSGITransport
from glassware.jobs.worker import Worker
from glassware.testing import Issuer
from glassware_archives.app import service
from glassware_archives.models import db

URL = "http://127.0.0.1:7003"
LATER = {"Prefer": "respond-async"}


class Archives:
    """The app and its callers. ``settings`` are options by name."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self.issuer, self.me = folder, Issuer(), str(uuid4())
        places = {
            "service.mode": "development",
            "service.state_dir": str(folder),
            "service.secrets_dir": str(folder / "secrets"),
            "limits.storage": "",
        }
        for name in ("archives.s3_access_key", "archives.s3_secret_key"):
            (folder / "secrets").mkdir(mode=0o700, exist_ok=True)
            (folder / "secrets" / name).write_text("of-the-tests\n")
        self.app = service.create_app(
            {**places, **settings}, environ={}, transports={"auth": self.issuer.transport}
        )
        self.queue = self.app.extensions["glassware"].jobs
        self.worker = Worker(self.app)
        self.client = httpx2.Client(base_url=URL, transport=WSGITransport(self.app))
        with self.app.app_context():
            db.create_all()

    def headers(self, subject: str = "", **more: str) -> dict[str, str]:
        return {**self.issuer.headers(subject or self.me, "archives:write"), **more}

    def post(self, entries: list[dict[str, Any]], **more: Any) -> httpx2.Response:
        """Order an archive of the entries; ``headers`` go besides the usual ones."""
        headers = {**self.headers(), **LATER, **more.pop("headers", {})}
        return self.client.post("/archives", json={"entries": entries, **more}, headers=headers)

    def order(self, entries: list[dict[str, Any]], **more: Any) -> str:
        answer = self.post(entries, **more)
        assert answer.status_code == 202, answer.text
        return str(answer.headers["Location"])

    def built(self, entries: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """Order an archive, have it built, and return its job."""
        url = self.order(entries, **more)
        self.work()
        return self.look(url)

    def work(self) -> None:
        with self.app.app_context():
            while self.worker.step():
                pass

    def sweep(self) -> None:
        with self.app.app_context():
            self.queue.sweep()

    def look(self, url: str) -> dict[str, Any]:
        answer = self.client.get(url, headers=self.headers())
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def get(self, url: str, **headers: str) -> httpx2.Response:
        return self.client.get(url, headers=self.headers(**headers))

    def close(self) -> None:
        with self.app.app_context():
            db.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    """Make the service with some settings."""
    made: list[Archives] = []

    def begin(**settings: str) -> Archives:
        made.append(Archives(tmp_path, **settings))
        return made[-1]

    yield begin
    for each in made:
        each.close()
