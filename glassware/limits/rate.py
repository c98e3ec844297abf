"""Rate limits: who asks too often is told so, and everybody how much is left."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from flask import Flask, Response, request

from glassware.auth.network import network_of
from glassware.auth.principal import Principal
from glassware.config import Config, ConfigError
from glassware.limits.windows import (
    Counts,
    Limit,
    MemoryWindows,
    StoredWindows,
    Windows,
    used,
    wait,
)
from glassware.observe.logging import event
from glassware.observe.metrics import Metrics
from glassware.problems import TooManyRequestsProblem

#: What the headers RateLimit and RateLimit-Policy follow.
DRAFT = "draft-ietf-httpapi-ratelimit-headers-11"
#: The name of the limit that all resources without one of their own share.
DEFAULT = "default"
#: Where the request keeps the headers for its answer.
HEADERS = "glassware.limits"
#: Seconds to wait for the store, and seconds for which one that failed is left alone.
PATIENCE, PAUSE = 0.2, 1.0

log = logging.getLogger(__name__)


class Limiter:
    """Counts requests by caller: a subject, or a network where nobody proved who they are.

    ``windows`` is None where nothing is limited. It fails open: while the store does not answer
    everybody is let in, and ``rate_limit_failures`` counts them.
    """

    def __init__(
        self, service: str, default: Limit | None, windows: Windows | None, metrics: Metrics
    ) -> None:
        self.service, self.default, self.windows = service, default, windows
        self.failures = metrics.limit_failures
        self._asleep_until = 0.0

    def meter(self, name: str, limit: Limit | None, who: Principal, address: str | None) -> None:
        """Count the present request against the caller's limit of this name, once.

        Raises TooManyRequestsProblem.
        """
        if HEADERS in request.environ:
            return
        outcome = self.ask(name, limit, who, address)
        if outcome is None:
            return
        let_in, counts, request.environ[HEADERS] = outcome
        if limit is not None and not let_in:
            raise TooManyRequestsProblem(
                f"This may be asked {limit.requests} times in {limit.seconds} seconds.",
                headers={"Retry-After": str(whole(wait(counts, limit)))},
            )

    def ask(
        self, name: str, limit: Limit | None, who: Principal, address: str | None
    ) -> tuple[bool, Counts, Mapping[str, str]] | None:
        """Count a request; return whether it is let in, the counts, and the headers that tell.

        None where nothing is limited, or nobody knows.
        """
        if self.windows is None or limit is None:
            return None
        caller = f"subject {who.subject}" if who.known else f"network {network_of(address)}"
        outcome = self.count(self.windows, f"{self.service} {name} {caller}", limit)
        return None if outcome is None else (*outcome, advice(name, limit, outcome[1]))

    def count(self, windows: Windows, key: str, limit: Limit) -> tuple[bool, Counts] | None:
        """Return whether the request is let in, and the counts; None where nobody knows."""
        if self._asleep_until and time.monotonic() < self._asleep_until:
            self.failures.inc()
            return None
        try:
            return windows.take(key, limit)
        except Exception as error:  # whatever the store does, the service goes on
            self._asleep_until = time.monotonic() + PAUSE
            self.failures.inc()
            event(log, "rate_limits_lost", level=logging.ERROR, kind=type(error).__name__)
            return None


def advice(name: str, limit: Limit, counts: Counts) -> Mapping[str, str]:
    """Return the headers of ``DRAFT``: the policy, what is left of it (r) and for how long (t)."""
    left = max(0, limit.requests - used(counts, limit.seconds))
    seconds = counts.now_left - limit.seconds if left else wait(counts, limit)
    return {
        "RateLimit-Policy": policy(name, limit),
        "RateLimit": f'"{name}";r={left};t={whole(seconds)}',
    }


@lru_cache(256)
def policy(name: str, limit: Limit) -> str:
    return f'"{name}";q={limit.requests};w={limit.seconds}'


def whole(seconds: float) -> int:
    """Return the whole seconds after which this time has passed for certain."""
    return max(0, math.floor(seconds)) + 1


def advertise(app: Flask) -> None:
    """Put the headers on every answer to a request that was counted."""

    @app.after_request
    def add(response: Response) -> Response:
        response.headers.update(request.environ.get(HEADERS, {}))
        return response


def limiter(service: str, config: Config, metrics: Metrics) -> Limiter:
    """Return the service's limiter as configured. Raises ConfigError."""
    text, url = config["limits.default"], config["limits.storage"]
    try:
        return Limiter(service, Limit.of(text) if text else None, storage(url), metrics)
    except ValueError as error:
        raise ConfigError(f"limits: {error}") from None


def storage(url: str) -> Windows | None:
    """Return the counts at the URL; no server is asked yet. Raises ValueError."""
    if url in ("", "memory://"):
        return MemoryWindows() if url else None
    if not url.startswith(("redis://", "rediss://", "redis+unix://")):
        raise ValueError("the storage must be memory://, or the URL of a Redis or a Valkey")
    # Not at the top: they take half a second, which a service without Redis can spare.
    from limits.storage import storage_from_string
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    found = storage_from_string(
        url,
        key_prefix="glassware",
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        retry=cast("str", Retry(NoBackoff(), 0)),  # its hints know no such option
    )
    return StoredWindows(found)
