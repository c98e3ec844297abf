"""Tries again what may be tried again, within the time of the call."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from glassware.client.transports.layer import Layer
from glassware.client.transports.network import Deadline

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
PASSING = frozenset({502, 503, 504})
CHANCE = random.SystemRandom()


class RetryTransport(Layer):
    """Repeats a request that failed on the way, or was answered 502, 503 or 504.

    Only an idempotent method, or a request with an Idempotency-Key, is repeated (RFC 9110 section
    9.2.2), at most ``retries`` times. The waits double from ``backoff`` seconds, half of each by
    chance, or are what Retry-After says; a wait beyond the request's ``Deadline`` is not begun.
    """

    def __init__(self, inner: httpx2.BaseTransport, retries: int, backoff: float = 0.1) -> None:
        super().__init__(inner)
        self._retries = retries
        self._backoff = backoff

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request, and return the first lasting answer."""
        for pause in self._pauses(request):
            try:
                response = self.inner.handle_request(request)
            except (httpx2.NetworkError, httpx2.RemoteProtocolError):
                wait = pause
                if wait >= time_left(request):
                    raise
            else:
                wait = max(pause, retry_after(response))
                if response.status_code not in PASSING or wait >= time_left(request):
                    return response
                response.close()
            time.sleep(wait)
        return self.inner.handle_request(request)

    def _pauses(self, request: httpx2.Request) -> list[float]:
        tries = self._retries if repeatable(request) else 0
        return [self._backoff * 2**n * CHANCE.uniform(0.5, 1) for n in range(tries)]


def repeatable(request: httpx2.Request) -> bool:
    """Return whether sending the request twice does what sending it once does."""
    return request.method in IDEMPOTENT or "Idempotency-Key" in request.headers


def time_left(request: httpx2.Request) -> float:
    """Return the seconds until the request's deadline."""
    deadline: Deadline = request.extensions["timeout"]["read"]
    return deadline.left()


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
