"""OpenTelemetry: what the log tells of requests and of calls, sent as spans (OTLP over HTTP).

Ids, parents and times are those of the log, so that a span and its lines are found by each other.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glassware.config import ConfigError
from glassware.observe.context import Trace, bound
from glassware.observe.logging import FIELDS

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

#: The names of the semantic conventions (HTTP spans, 1.23 and later) for those of our lines.
ATTRIBUTES = {
    "method": "http.request.method",
    "route": "http.route",
    "path": "url.path",
    "status": "http.response.status_code",
    "neighbour": "server.address",
    "bytes": "http.response.body.size",
}
FAULT = 500


def export(service: str, release: str, endpoint: str) -> SpanHandler:
    """Send spans to the collector at ``endpoint``, such as ``http://127.0.0.1:4318/v1/traces``.

    Return what sends them; ``close`` sends what is left. Raises ConfigError where
    ``glassware[traces]`` is not installed.
    """
    try:
        handler = SpanHandler(service, release, endpoint)
    except ImportError:
        raise ConfigError(
            "traces.endpoint: OpenTelemetry is not installed; install glassware[traces]"
        ) from None
    logging.getLogger().addHandler(handler)
    return handler


class SpanHandler(logging.Handler):
    """Makes a span of each line that tells how long something took."""

    def __init__(self, service: str, release: str, endpoint: str) -> None:
        super().__init__(logging.INFO)
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.service, self.version = service, release
        self.sender = BatchSpanProcessor(OTLPSpanExporter(endpoint))

    def emit(self, record: logging.LogRecord) -> None:
        trace, fields = bound(), getattr(record, FIELDS, {})
        if trace is None or not trace.flags:
            return
        if record.msg == "request":
            self.sender.on_end(
                self.span(record, trace, trace.span_id, fields.get("parent_id"), fields)
            )
        elif record.msg == "neighbour_called":
            self.sender.on_end(self.span(record, trace, fields["call_id"], trace.span_id, fields))

    def span(
        self,
        record: logging.LogRecord,
        trace: Trace,
        id: str,
        parent: str | None,
        fields: Mapping[str, Any],
    ) -> ReadableSpan:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        def context(span_id: str, remote: bool) -> SpanContext:
            flags = TraceFlags(trace.flags)
            return SpanContext(int(trace.trace_id, 16), int(span_id, 16), remote, flags)

        incoming, status = record.msg == "request", fields.get("status")
        failed = not isinstance(status, int) or status >= FAULT
        end = int(record.created * 1e9)
        told = {ATTRIBUTES[name]: fields[name] for name in fields if name in ATTRIBUTES}
        return ReadableSpan(
            name=" ".join([fields["method"], fields.get("route") or fields.get("neighbour", "")]),
            context=context(id, remote=False),
            parent=context(parent, remote=incoming) if parent else None,
            resource=Resource.create(
                {"service.name": trace.service or self.service, "service.version": self.version}
            ),
            attributes={**told, "glassware.request_id": trace.request_id},
            kind=SpanKind.SERVER if incoming else SpanKind.CLIENT,
            status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
            start_time=end - int(fields["seconds"] * 1e9),
            end_time=end,
        )

    def close(self) -> None:
        """Send what is left."""
        self.sender.shutdown()
        super().close()
