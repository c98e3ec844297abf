"""A service that was made a moment ago, alone, and its app in as many ways as a test wants."""

from __future__ import annotations

import importlib
import io
import logging
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask_migrate
import httpx2
import pytest

from glassware.client.transports import WSGITransport
from glassware.db.migrate import prepare
from glassware.observe.logging import configure
from glassware.service import Service
from glassware.testing import Issuer
from tests.template.checkout import Checkout, installed

URL = "http://127.0.0.1:7004"
SCOPES = "notes:read notes:write"


class Newborn:
    """The app of the service, and people who call it."""

    def __init__(self, service: Service, folder: Path, settings: dict[str, str]) -> None:
        self.service, self.folder = service, folder
        self.issuer, self.me = Issuer(), str(uuid4())
        key = folder / "secrets" / "app.secret_key"
        key.parent.mkdir(exist_ok=True)
        key.write_text(secrets.token_urlsafe(32))
        self.settings = {
            "service.mode": "production",
            "service.state_dir": str(folder),
            "service.secrets_dir": str(folder / "secrets"),
            "limits.storage": "",
            **settings,
        }
        transports = {"auth": self.issuer.transport}
        self.app = service.create_app(self.settings, environ={}, transports=transports)
        with self.app.app_context():
            prepare(self.app)
            flask_migrate.upgrade()
        self.client = httpx2.Client(base_url=URL, transport=WSGITransport(self.app))

    def headers(self, scopes: str = SCOPES, **more: str) -> dict[str, str]:
        return {**self.issuer.headers(self.me, scopes), **more}

    def get(self, url: str, **headers: str) -> httpx2.Response:
        return self.client.get(url, headers=self.headers(**headers))

    def add(self, name: str = "a", **headers: str) -> httpx2.Response:
        return self.client.post("/notes", json={"name": name}, headers=self.headers(**headers))

    def close(self) -> None:
        with self.app.app_context():
            self.service.database.close()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("newborn"))


@pytest.fixture(scope="session")
def home(checkout: Checkout) -> Path:
    """The folder of the service."""
    checkout.new("notes", "--place", "alone")
    return installed(checkout, checkout.folder / "notes")


@pytest.fixture(scope="session")
def service(home: Path) -> Iterator[Service]:
    """The service, imported from where it was made."""
    sys.path.insert(0, str(home / "src"))
    importlib.invalidate_caches()
    found: Service = import_module("glassware_notes.app").service
    yield found
    sys.path.remove(str(home / "src"))


Bear = Callable[..., Newborn]


@pytest.fixture
def bear(service: Service, tmp_path: Path) -> Iterator[Bear]:
    """Make an app with settings of its own: ``bear(**{"limits.default": "3/minute"})``."""
    with ExitStack() as stack:

        def make(**settings: str) -> Newborn:
            newborn = Newborn(service, tmp_path, settings)
            stack.callback(newborn.close)
            return newborn

        yield make


@pytest.fixture
def newborn(bear: Bear) -> Newborn:
    return bear()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged meanwhile, as the process would write it."""
    root, stream = logging.getLogger(), io.StringIO()
    before: Any = (root.handlers[:], root.level)
    configure("notes", "INFO", stream)
    yield stream
    root.handlers[:], root.level = before
