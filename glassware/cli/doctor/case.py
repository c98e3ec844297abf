"""A service under examination: what the symptoms look at, each thing looked at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from importlib.resources import files
from types import TracebackType
from typing import NamedTuple, Self

import httpx2
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from glassware.client.transports import Deadline, NetworkTransport
from glassware.client.transports.network import timeouts
from glassware.config import Config, ConfigError
from glassware.db.onlooker import look, sqlite_file
from glassware.db.standing import Standing, standing_at
from glassware.service import Service, Transports

#: Seconds to wait for a neighbour.
PATIENCE = 3.0


class Visit(NamedTuple):
    """A request for a URL: the answer, or why there is none; ``began`` and ``ended`` are times
    since the epoch, in seconds."""

    url: str
    answer: httpx2.Response | None
    trouble: str
    began: float
    ended: float


class Case:
    """A service and its surroundings; use it as a context manager.

    ``refusal`` says why there is no configuration; without one there is little to look at.
    ``transports`` replace the network to the neighbours, by name.
    """

    def __init__(
        self,
        service: Service,
        overrides: Mapping[str, str],
        environ: Mapping[str, str],
        transports: Transports | None = None,
    ) -> None:
        self.service, self.overrides, self.environ = service, overrides, environ
        self.transports = transports or {}
        self.refusal: tuple[str, ...] = ()
        self._config: Config | None = None
        self._open = ExitStack()
        try:
            self._config = service.configure(overrides, environ)
        except ConfigError as error:
            self.refusal = error.complaints

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def config(self) -> Config:
        assert self._config is not None, "no symptom but the first looks at a refused configuration"
        return self._config

    # The database

    @property
    def stored(self) -> bool:
        """Whether the service has a database."""
        return self.service.database is not None

    @property
    def postgresql(self) -> bool:
        return self.stored and str(self.config["database.url"]).startswith("postgresql")

    @property
    def database_trouble(self) -> str:
        """Why the database cannot be looked at, "" where it can."""
        return self._serving[1]

    @property
    def connection(self) -> Connection | None:
        """As the role that serves; None where there is no database, or it does not answer."""
        return self._serving[0]

    @cached_property
    def _serving(self) -> tuple[Connection | None, str]:
        return self._connected(self.config["database.url"]) if self.stored else (None, "")

    @cached_property
    def owner(self) -> tuple[Connection | None, str]:
        """As the role that owns the schema, or why not."""
        url = self.config["database.migrations_url"]
        return self._connected(url) if self.stored and url else (None, "")

    def _connected(self, url: str) -> tuple[Connection | None, str]:
        path = sqlite_file(url)
        if path is not None and not path.exists():
            return None, f"there is no file {path}"
        try:
            connection = self._open.enter_context(look(url))
            # A file is opened only when something in it is asked for.
            connection.execute(text("SELECT 1" if path is None else "SELECT 1 FROM sqlite_master"))
        except SQLAlchemyError as error:
            return None, str(getattr(error, "orig", None) or error)
        return connection, ""

    @property
    def migrations(self) -> str:
        return str(files(self.service.package) / "migrations")

    @cached_property
    def standing(self) -> Standing | None:
        """Where the schema stands."""
        return standing_at(self.connection, self.migrations) if self.connection else None

    # The neighbours

    @property
    def verifies(self) -> bool:
        """Whether the service checks tokens by somebody else's keys."""
        return self.service.find_key is None

    @cached_property
    def neighbours(self) -> dict[str, Visit]:
        """The readiness of each neighbour, by name."""
        urls = {name: self.config[f"siblings.{name}"] for name in self.service.siblings}
        return {
            name: self.visit(name, url.rstrip("/") + "/health/ready") for name, url in urls.items()
        }

    @cached_property
    def keys(self) -> Visit:
        issuer = self.config["auth.issuer"].rstrip("/")
        url = self.config["auth.jwks_url"] or f"{issuer}/.well-known/jwks.json"
        return self.visit("auth", url)

    @cached_property
    def metadata(self) -> Visit:
        issuer = self.config["auth.issuer"].rstrip("/")
        return self.visit("auth", f"{issuer}/.well-known/oauth-authorization-server")

    def visit(self, name: str, url: str) -> Visit:
        """Ask a neighbour for what anybody may ask for."""
        way = self.transports.get(name) or NetworkTransport()
        began = time.time()
        try:
            with httpx2.Client(transport=way, trust_env=False) as client:
                answer = client.get(url, extensions=timeouts(Deadline(PATIENCE)))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            trouble = str(error) or type(error).__name__
            return Visit(url, None, trouble, began, time.time())
        return Visit(url, answer, "", began, time.time())
