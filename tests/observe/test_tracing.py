"""Spans, as a collector is sent them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glassware.observe import tracing
from glassware.testing import Mesh
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks

KNOWN = "4bf92f3577b34da6a3ce929d0e0e4736"
OTHER = "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Receiver)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/traces"


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        asked = ExportTraceServiceRequest()
        asked.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in asked.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.server.spans += [(names["service.name"], span) for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def handler(collector: Collector) -> Iterator[tracing.SpanHandler]:
    root, before = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.INFO)
    handler = tracing.export("suite", "1.0", collector.url)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


def facts(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_request_and_its_call_to_a_neighbour_are_one_trace(
    collector: Collector, handler: tracing.SpanHandler
) -> None:
    with Mesh([auth, tasks]) as mesh:
        answer = mesh.client("tasks").get(
            "/tasks",
            headers={
                "traceparent": f"00-{KNOWN}-{OTHER}-01",
                "Authorization": "Bearer a.b.c",
                "X-Request-Id": "r-1",
            },
        )
        assert answer.status_code == 401
        mesh.client("tasks").get("/health/live", headers={"traceparent": f"00-{KNOWN}-{OTHER}-00"})
        health = {"traceparent": f"00-{KNOWN}-{OTHER}-01"}
        mesh.client("tasks").get("/", headers={**health, "Accept": "text/html"})
    handler.close()
    found = [(name, span) for name, span in collector.spans if span.trace_id.hex() == KNOWN]
    served = {span.name: (name, span) for name, span in found if span.kind == 2}
    name, listing = served["GET /tasks"]
    assert (name, listing.parent_span_id.hex()) == ("tasks", OTHER)
    told = facts(listing)
    assert told["http.response.status_code"] == 401
    assert told["glassware.request_id"] == "r-1"
    assert listing.end_time_unix_nano > listing.start_time_unix_nano
    assert "GET /health/live" not in served, "the caller said that it is not recorded"
    asked = [span for name, span in found if span.kind == 3 and name == "tasks"]
    assert asked, "the start page asks for the neighbours' health"
    answered = {span.parent_span_id for name, span in found if name == "auth"}
    assert answered <= {span.span_id for span in asked}
    assert answered
