"""The request id and the trace go along on every hop."""

from __future__ import annotations

import httpx2

from glassware.client.transports.layer import Layer
from glassware.observe import context


class TraceTransport(Layer):
    """Sends ``X-Request-Id`` and ``traceparent`` (W3C Trace Context), a new child span per try."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request as part of the current trace."""
        trace = context.current()
        request.headers["X-Request-Id"] = trace.request_id
        request.headers["traceparent"] = trace.child().traceparent
        return self.inner.handle_request(request)
