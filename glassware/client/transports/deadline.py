"""Each hop is told how long its answer is waited for, which is less at every one."""

from __future__ import annotations

import math
import time

import httpx2

from glassware.client.transports.layer import Layer
from glassware.client.transports.network import time_left
from glassware.observe.context import TIMEOUT_HEADER
from glassware.problems import OutOfTimeProblem

#: The request's extension with the moment after which nobody waits for the end of its answer.
ENDS = "glassware.ends"


class DeadlineTransport(Layer):
    """Sends ``X-Request-Timeout``: the seconds left to the call, rounded down to milliseconds.

    Rounded down, a timeout that was written so itself has shrunk whenever time has passed at all.
    Without an end there is no header. Raises ``OutOfTimeProblem`` in place of a call that nobody
    would wait for.
    """

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request with the time that is left at this moment."""
        left = request.extensions[ENDS] - time.monotonic()
        if left < 0.001 or not time_left(request):
            raise OutOfTimeProblem(f"No time is left to call {request.url.host}.")
        if left < math.inf:
            request.headers[TIMEOUT_HEADER] = f"{math.floor(left * 1000) / 1000:.3f}"
        return self.inner.handle_request(request)
