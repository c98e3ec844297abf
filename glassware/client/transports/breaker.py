"""A neighbour that fails time and again is left alone for a while, and then tried with care."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import httpx2

from glassware.client.transports.layer import Layer
from glassware.client.transports.retry import PASSING
from glassware.observe.metrics import Metrics
from glassware.problems import UnreachableProblem


class BreakerTransport(Layer):
    """Refuses calls to ``service`` for ``pause`` seconds after ``failures`` in a row.

    Then one call goes through: an answer lets the others follow, another failure begins the next
    pause. A failure is an error on the way, no answer in ``patience`` seconds, and 502, 503 or 504.
    A call that was given less time proves nothing when it runs out: a caller in a hurry must not
    cut everybody else off. Raises ``UnreachableProblem``, which is not tried again.
    """

    def __init__(
        self,
        inner: httpx2.BaseTransport,
        service: str,
        metrics: Metrics,
        *,
        failures: int = 5,
        pause: float = 2.0,
        patience: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(inner)
        self.service, self.failures, self.pause = service, failures, pause
        self.patience, self.clock = patience, clock
        self.refused = metrics.refused.labels(service)
        self.open = metrics.broken.labels(service)
        self._lock = threading.Lock()
        self._failed = 0
        self._rests_until = -math.inf

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request, unless the neighbour is to be left alone."""
        self._enter()
        try:
            response = self.inner.handle_request(request)
        except httpx2.TimeoutException:
            hurried = float(request.extensions["timeout"]["read"]) < self.patience
            self._leave(failed=None if hurried else True)
            raise
        except httpx2.TransportError:
            self._leave(failed=True)
            raise
        self._leave(failed=response.status_code in PASSING)
        return response

    def _enter(self) -> None:
        with self._lock:
            if self._failed < self.failures:
                return
            wait = self._rests_until - self.clock()
            if wait <= 0:
                # This call is the one that tries; until it is back the others are refused.
                self._rests_until = self.clock() + self.pause
                return
        self.refused.inc()
        raise UnreachableProblem(
            f"{self.service} failed {self.failures} times in a row; it is left alone for a moment.",
            headers={"Retry-After": str(math.ceil(wait))},
        )

    def _leave(self, *, failed: bool | None) -> None:
        with self._lock:
            if failed is None:
                self._rests_until = self.clock()  # for another call to try
                return
            self._failed = self._failed + 1 if failed else 0
            if self._failed >= self.failures:
                self._rests_until = self.clock() + self.pause
            self.open.set(self._failed >= self.failures)
