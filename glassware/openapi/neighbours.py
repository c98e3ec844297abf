"""The health of the services that the start page links to, asked for by the service itself.

A browser could not ask: they are other origins, and our pages may speak to none but the issuer's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

import httpx2

from glassware.client import Client
from glassware.config import Config, ConfigError
from glassware.observe.health import Checks

#: Seconds for which an answer is kept, and those to wait for one.
KEPT, TIMEOUT = 5.0, 1.0


class Neighbour(NamedTuple):
    """A service, its URL, and "ok" or what is wrong with it."""

    name: str
    url: str
    status: str


def neighbours(config: Config, siblings: Iterable[str]) -> Mapping[str, str]:
    """Return the URL of each service to show, by name. Raises ConfigError."""
    listed = {}
    for entry in config["suite.services"]:
        name, equals, url = entry.partition("=")
        if not equals:
            raise ConfigError(f"suite.services: {entry!r} is not of the form name=URL.")
        listed[name.strip()] = url.strip().rstrip("/")
    return listed or {name: config[f"siblings.{name}"].rstrip("/") for name in siblings}


class Neighbours:
    """Services by name, each with its URL and the way to it."""

    def __init__(
        self,
        urls: Mapping[str, str],
        transports: Mapping[str, httpx2.BaseTransport],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.urls = urls
        self.clock = clock
        # A check has one thread at most, however many people look at the page.
        self.checks = Checks(timeout=TIMEOUT)
        for name, url in urls.items():
            client = Client(name, url, transport=transports[name], timeout=TIMEOUT, retries=0)
            self.checks.add(name, partial(client.get, "/health/ready"))
        self.known: tuple[float, Mapping[str, str]] = (-KEPT, {})

    def health(self) -> list[Neighbour]:
        """Return every service with its status, which may be ``KEPT`` seconds old."""
        since, statuses = self.known
        if self.clock() - since >= KEPT:
            statuses = self.checks.ready().checks
            self.known = (self.clock(), statuses)
        return [Neighbour(name, url, statuses[name]) for name, url in self.urls.items()]
