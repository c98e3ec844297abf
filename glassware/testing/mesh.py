"""All services in one process: real apps, real tokens, real databases; only sockets are missing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import flask_migrate
import httpx2
from flask import Flask

from glassware.cli.manager import Manager
from glassware.cli.processes import introduce
from glassware.client.transports import WSGITransport
from glassware.db.migrate import prepare
from glassware.media import json
from glassware.service import Service
from glassware.testing import postgres
from glassware.testing.recorder import Need, Recorder

#: The variable that names a folder for what is noted.
NEEDS = "GLASSWARE_NEEDS"

ADDRESSES = {
    "auth": "http://127.0.0.1:7001",
    "tasks": "http://127.0.0.1:7002",
    "archives": "http://127.0.0.1:7003",
}


class Mesh:
    """Services that call each other over WSGI transports, each with a database of its own.

    ``transports`` stand in for services that are not part of the mesh, such as an Issuer;
    ``settings`` are configuration for all. Use it as a context manager; ``apps`` holds the Flask
    apps by name, ``client(name)`` speaks to one. Where the environment names a folder in
    ``GLASSWARE_NEEDS``, what they need of each other is written there.
    """

    def __init__(
        self,
        services: Iterable[Service],
        *,
        transports: Mapping[str, httpx2.BaseTransport] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.services = list(services)
        self.settings = dict(settings or {})
        self.apps: dict[str, Flask] = {}
        self.cluster = postgres.shared()
        self.databases: list[str] = []
        self.directory = tempfile.TemporaryDirectory(prefix="glassware-")
        inside = {service.name: self.transport(service.name) for service in self.services}
        self.transports = {**inside, **(transports or {})}
        self.notes, self.needs = os.environ.get(NEEDS), list[Need]()

    def __enter__(self) -> Self:
        # The issuer comes first, since the others may have to be known to it.
        for service in sorted(self.services, key=lambda each: each.name != "auth"):
            self.apps[service.name] = self.start(service)
        return self

    def __exit__(self, *_: object) -> None:
        for service in self.services:
            if service.database is not None:
                with self.apps[service.name].app_context():
                    service.database.close()
        for name in self.databases:
            assert self.cluster is not None
            self.cluster.drop(name)
        self.directory.cleanup()
        if self.notes:
            Path(self.notes, f"{uuid4()}.json").write_bytes(json.dumps(self.needs))

    def start(self, service: Service) -> Flask:
        """Return a new app of the service on its own state, its database migrated."""
        state = Path(self.directory.name) / service.name
        state.mkdir(exist_ok=True)
        if "auth" in self.apps:
            introduce(service, state / "secrets", self.manage)
        known = {option.name for option in service.declared()}
        settings = {name: value for name, value in self.settings.items() if name in known}
        app = service.create_app(
            {
                "service.mode": "development",
                "service.state_dir": str(state),
                "service.secrets_dir": str(state / "secrets"),
                **self.database(service),
                **settings,
            },
            environ={},
            transports=self.ways(service.name),
        )
        if service.database is not None:
            with app.app_context():
                prepare(app)
                flask_migrate.upgrade()
        return app

    def manage(self, *words: str) -> str:
        """Run a command of the issuer's as its operator; return what it prints."""
        issuer = next(each for each in self.services if each.name == "auth")
        manager = Manager(f"{issuer.package}.app:service")
        vars(manager)["create_app"] = lambda: self.apps["auth"]
        done = self.apps["auth"].test_cli_runner().invoke(manager, words)
        assert done.exit_code == 0, done.output
        return done.output

    def database(self, service: Service) -> dict[str, str]:
        """Return the options of a new database; none for SQLite, which lies in the state."""
        if self.cluster is None or service.database is None:
            return {}
        name = f"{service.name}_{uuid4().hex[:12]}"
        self.cluster.create(name)
        self.databases.append(name)
        return self.cluster.settings(name)

    def ways(self, consumer: str) -> Mapping[str, httpx2.BaseTransport]:
        """Return the ways of a service to the others, which note its needs where that is asked."""
        if not self.notes:
            return self.transports
        inside = {service.name for service in self.services}
        return {
            name: Recorder(way, consumer, name, self.needs) if name in inside else way
            for name, way in self.transports.items()
        }

    def transport(self, name: str) -> httpx2.BaseTransport:
        """Return the way to a service, which need not have been started yet."""

        def app(environ: Any, start_response: Any) -> Iterable[bytes]:
            answer: Iterable[bytes] = self.apps[name](environ, start_response)
            return answer

        return WSGITransport(app)

    def client(self, name: str, **kwargs: Any) -> httpx2.Client:
        """Return an HTTP client of the service."""
        address = ADDRESSES.get(name, "http://localhost")
        return httpx2.Client(base_url=address, transport=self.transports[name], **kwargs)

    def __iter__(self) -> Iterator[str]:
        return iter(self.apps)
