"""Tries again what may be tried again, within the time of the call."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from glassware.client.transports.layer import Layer
from glassware.client.transports.network import time_left

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
PASSING = frozenset({502, 503, 504})
CHANCE = random.SystemRandom()


class Budget:
    """How many tries again there may be: a ``share`` of all calls, and a ``reserve`` for a start.

    Without it a neighbour that is down gets several times the calls that it could not take.
    """

    def __init__(self, share: float = 0.2, reserve: float = 10.0) -> None:
        self._share, self._reserve = share, reserve
        self._left = reserve
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Note a call."""
        with self._lock:
            self._left = min(self._reserve, self._left + self._share)

    def spend(self) -> bool:
        """Return whether a call may be tried again."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True


class RetryTransport(Layer):
    """Repeats a request that failed on the way, or was answered 502, 503 or 504.

    Only an idempotent method, or a request with an Idempotency-Key, is repeated (RFC 9110 section
    9.2.2), at most ``retries`` times. The waits double from ``backoff`` seconds, half of each by
    chance, or are what Retry-After says; a wait beyond the request's ``Deadline``, or the
    ``budget``, is not begun.
    """

    def __init__(
        self,
        inner: httpx2.BaseTransport,
        retries: int,
        backoff: float = 0.1,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(inner)
        self._retries = retries
        self._backoff = backoff
        self._budget = budget or Budget()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request, and return the first lasting answer."""
        self._budget.earn()
        for pause in self._pauses(request):
            try:
                response = self.inner.handle_request(request)
            except (httpx2.NetworkError, httpx2.RemoteProtocolError):
                wait = pause
                if not self._may_wait(wait, request):
                    raise
            else:
                wait = max(pause, retry_after(response))
                lasting = response.status_code not in PASSING
                if lasting or not self._may_wait(wait, request):
                    return response
                response.close()
            time.sleep(wait)
        return self.inner.handle_request(request)

    def _may_wait(self, seconds: float, request: httpx2.Request) -> bool:
        return seconds < time_left(request) and self._budget.spend()

    def _pauses(self, request: httpx2.Request) -> list[float]:
        tries = self._retries if repeatable(request) else 0
        return [self._backoff * 2**n * CHANCE.uniform(0.5, 1) for n in range(tries)]


def repeatable(request: httpx2.Request) -> bool:
    """Return whether sending the request twice does what sending it once does."""
    return request.method in IDEMPOTENT or "Idempotency-Key" in request.headers


def retry_after(response: httpx2.Response) -> float:
    """Return the seconds that Retry-After asks for (RFC 9110 section 10.2.3), else 0."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
