"""Every try of a call is counted, with the time until its answer began."""

from __future__ import annotations

import time

import httpx2

from glassware.client.transports.layer import Layer
from glassware.observe.metrics import Metrics


class MeterTransport(Layer):
    """Measures each try by the ``service`` that is called and the status that it answers."""

    def __init__(self, inner: httpx2.BaseTransport, service: str, metrics: Metrics) -> None:
        super().__init__(inner)
        self.service, self.metrics = service, metrics

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request; without an answer the status is "error"."""
        began, status = time.monotonic(), "error"
        try:
            response = self.inner.handle_request(request)
            status = str(response.status_code)
            return response
        finally:
            seconds = time.monotonic() - began
            self.metrics.calls.labels(self.service, status).observe(seconds)
