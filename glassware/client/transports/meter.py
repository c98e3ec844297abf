"""Every try of a call is counted and logged, with the time until its answer began."""

from __future__ import annotations

import logging
import time

import httpx2

from glassware.client.transports.layer import Layer
from glassware.observe.logging import event
from glassware.observe.metrics import Metrics

log = logging.getLogger(__name__)


class MeterTransport(Layer):
    """Measures each try by the ``service`` that is called and the status that it answers."""

    def __init__(self, inner: httpx2.BaseTransport, service: str, metrics: Metrics) -> None:
        super().__init__(inner)
        self.service, self.metrics = service, metrics

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request; without an answer the status is "error"."""
        began = time.monotonic()
        outcome: int | str = ""
        try:
            response = self.inner.handle_request(request)
            outcome = response.status_code
            return response
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            seconds = time.monotonic() - began
            status = str(outcome) if isinstance(outcome, int) else "error"
            self.metrics.calls.labels(self.service, status).observe(seconds)
            event(
                log,
                "neighbour_called",
                neighbour=self.service,
                method=request.method,
                path=request.url.path,
                status=outcome,
                seconds=round(seconds, 6),
                # The span of this try, which the neighbour knows as its parent.
                call_id=request.headers.get("traceparent", "")[36:52],
            )
