"""One trace and one access line for each request, however it ends."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.client import HTTPConnection
from itertools import islice
from types import SimpleNamespace
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.serving import make_server

from glassware.observe.context import bound, current
from glassware.observe.edge import MADE, Edge
from glassware.observe.logging import event


class Call:
    """A request as a server makes it."""

    def __init__(self, edge, **environ):
        self.environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", **environ}
        setup_testing_defaults(self.environ)
        self.started = []
        self.written = []
        self.body = edge(self.environ, self.start_response)

    def start_response(self, status, headers, exc_info=None):
        self.started.append((status, headers))
        return self.written.append

    @property
    def headers(self):
        return dict(self.started[-1][1])

    def read(self):
        chunks = list(self.body)
        self.body.close()
        return chunks


def streaming(log, chunks, headers=()):
    """An app whose body logs a line before each chunk."""

    def app(environ, start_response):
        def body():
            try:
                for chunk in chunks:
                    event(log, "chunk", at=environ["PATH_INFO"])
                    yield chunk
            finally:
                event(log, "closed", at=environ["PATH_INFO"])

        start_response("200 OK", list(headers))
        return body()

    return app


def test_the_request_id_holds_from_the_call_to_the_close(log):
    call = Call(Edge(streaming(log, [b"a", b"b"]), "tasks", log), HTTP_X_REQUEST_ID="r-1")
    assert bound() is None
    assert call.read() == [b"a", b"b"]
    assert bound() is None
    assert call.headers["X-Request-Id"] == "r-1"
    assert [line["event"] for line in log.lines] == ["chunk", "chunk", "closed", "request"]
    assert {line["request_id"] for line in log.lines} == {"r-1"}
    assert len({line["trace_id"] for line in log.lines}) == 1


def test_two_interleaved_requests_in_one_thread_keep_their_ids(log):
    edge = Edge(streaming(log, [b"a"] * 3), "tasks", log)
    calls = [Call(edge, PATH_INFO=f"/{name}", HTTP_X_REQUEST_ID=name) for name in "xy"]
    for _ in range(3):
        for call in calls:
            next(call.body)
            assert bound() is None
    for call in reversed(calls):
        call.read()
    assert len(log.lines) == 10
    assert all(line.get("at", line.get("path")) == f"/{line['request_id']}" for line in log.lines)


def test_a_body_made_in_another_thread_has_the_request_id(log):
    call = Call(Edge(streaming(log, [b"a"]), "tasks", log), HTTP_X_REQUEST_ID="r-1")
    thread = threading.Thread(target=call.read)
    thread.start()
    thread.join(5)
    assert [line["request_id"] for line in log.lines] == ["r-1"] * 3


def test_a_request_to_a_sibling_in_the_same_thread_does_not_disturb_ours(log):
    def sibling(environ, start_response):
        event(log, "asked")
        start_response("200 OK", [])
        return [b"x"]

    inner = Edge(sibling, "auth", log)

    def app(environ, start_response):
        start_response("200 OK", [])
        yield from Call(inner, HTTP_X_REQUEST_ID=current().request_id).read()
        event(log, "answered")

    Call(Edge(app, "tasks", log), HTTP_X_REQUEST_ID="r-1").read()
    seen = [(line["event"], line["service"], line["request_id"]) for line in log.lines]
    assert seen == [
        ("asked", "auth", "r-1"),
        ("request", "auth", "r-1"),
        ("answered", "tasks", "r-1"),
        ("request", "tasks", "r-1"),
    ]


def test_the_access_line_says_what_happened_and_who_asked(log):
    instants = iter([10.0, 10.25])

    def app(environ, start_response):
        environ["glassware.principal"] = SimpleNamespace(subject="u-1", client_id="reports")
        start_response("201 Created", [("Content-Length", "3")])
        return [b"abc"]

    edge = Edge(app, "tasks", log, lambda: next(instants))
    query = "limit=5&token=hunter2&q=a%3Dhunter2&limit=6&hunter2&=hunter2&caf%C3%A9=1"
    Call(
        edge, REQUEST_METHOD="POST", PATH_INFO="/caf\xc3\xa9", SCRIPT_NAME="/v1", QUERY_STRING=query
    ).read()
    (line,) = log.lines
    assert {name: line[name] for name in list(line)[8:]} == {
        "method": "POST",
        "path": "/v1/café",
        "query": ["", "café", "limit", "q", "token"],
        "status": 201,
        "bytes": 3,
        "seconds": 0.25,
        "subject": "u-1",
        "client": "reports",
    }
    assert (line["level"], line["service"]) == ("INFO", "tasks")
    assert "hunter2" not in log.text


@given(
    chunks=st.lists(st.binary(max_size=5), max_size=5),
    taken=st.integers(0, 7),
    sized=st.booleans(),
    closes=st.integers(1, 3),
)
def test_there_is_one_line_with_the_bytes_that_were_sent(new_log, chunks, taken, sized, closes):
    log = new_log()
    total = sum(map(len, chunks))
    headers = [("Content-Length", str(total))] if sized else []
    call = Call(Edge(streaming(log, chunks, headers), "tasks", log))
    sent = list(islice(call.body, taken))
    for _ in range(closes):
        call.body.close()
    (line,) = log.of("request")
    assert sent == chunks[:taken]
    assert line["bytes"] == sum(map(len, sent))
    complete = taken > len(chunks) or (sized and line["bytes"] == total)
    assert line.get("aborted", False) is not complete


def test_a_client_that_leaves_in_the_middle_is_noted(log):
    call = Call(Edge(streaming(log, [b"a", b"b"]), "tasks", log), HTTP_X_REQUEST_ID="r-1")
    assert next(call.body) == b"a"
    call.body.close()
    (line,) = log.of("request")
    assert (line["aborted"], line["bytes"], line["status"]) == (True, 1, 200)
    assert [line["request_id"] for line in log.of("closed")] == ["r-1"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_server_that_stops_at_the_announced_length_is_no_client_that_left(log, method):
    chunks = [b"abc", b""] if method == "GET" else []
    call = Call(
        Edge(streaming(log, chunks, [("Content-Length", "3")]), "tasks", log), REQUEST_METHOD=method
    )
    if method == "GET":
        next(call.body)
    call.body.close()
    assert "aborted" not in log.of("request")[0]


def test_a_body_that_is_made_goes_to_the_server_whole_and_is_closed(log):
    def app(environ, start_response):
        environ[MADE] = True
        return streaming(log, [b"ab", b"c"], [("Content-Length", "3")])(environ, start_response)

    call = Call(Edge(app, "tasks", log))
    assert call.body == [b"ab", b"c"]
    (line,) = log.of("request")
    assert line["bytes"] == 3
    assert "aborted" not in line
    assert len(log.of("closed")) == 1


def test_an_error_in_the_body_is_logged_with_the_request_and_raised(log):
    def broken():
        yield b"a"
        raise RuntimeError("disk gone")

    def app(environ, start_response):
        start_response("200 OK", [])
        return broken()

    call = Call(Edge(app, "tasks", log), HTTP_X_REQUEST_ID="r-1")
    with pytest.raises(RuntimeError, match="disk gone"):
        call.read()
    call.body.close()
    (line,) = log.lines
    assert (line["level"], line["status"], line["bytes"], line["request_id"]) == (
        "ERROR",
        200,
        1,
        "r-1",
    )
    assert line["exception"]["type"] == "RuntimeError"
    assert "in broken" in line["exception"]["stack"]
    assert "aborted" not in line


def test_an_error_at_the_close_is_logged_with_the_request_and_raised(log):
    def app(environ, start_response):
        start_response("200 OK", [])
        with contextlib.suppress(GeneratorExit):
            yield b"a"
        raise RuntimeError("cannot close")

    call = Call(Edge(app, "tasks", log))
    next(call.body)
    with pytest.raises(RuntimeError, match="cannot close"):
        call.body.close()
    (line,) = log.lines
    assert line["exception"]["message"] == "cannot close"


def test_an_app_that_raises_is_a_500_in_the_log(log):
    def app(environ, start_response):
        raise RuntimeError("no start")

    with pytest.raises(RuntimeError, match="no start"):
        Call(Edge(app, "tasks", log))
    (line,) = log.lines
    assert (line["status"], line["level"]) == (500, "ERROR")
    assert bound() is None


def test_the_last_status_counts_and_our_request_id_replaces_the_apps(log):
    def app(environ, start_response):
        start_response("200 OK", [("x-request-id", "theirs"), ("Content-Type", "text/plain")])
        try:
            raise RuntimeError
        except RuntimeError as error:
            write = start_response(
                "503 Busy", [("X-REQUEST-ID", "theirs")], (type(error), error, None)
            )
        write(b"sorry")
        return []

    call = Call(Edge(app, "tasks", log), HTTP_X_REQUEST_ID="ours")
    call.read()
    assert call.started[-1] == ("503 Busy", [("X-Request-Id", "ours")])
    assert [(line["status"], line["bytes"]) for line in log.lines] == [(503, 5)]
    assert call.written == [b"sorry"]


def test_the_edge_keeps_to_wsgi(log):
    app = streaming(log, [b"abc"], [("Content-Type", "text/plain"), ("Content-Length", "3")])
    checked = validator(Edge(validator(app), "tasks", log))
    call = Call(checked, QUERY_STRING="")
    assert call.read() == [b"abc"]
    assert len(log.of("request")) == 1


@pytest.fixture
def serve():
    """Serve an app on a real socket, a thread for each request; yields a function."""
    with contextlib.ExitStack() as stack:

        def start(app):
            server = make_server("127.0.0.1", 0, app, threaded=True)
            server.log_request = lambda *_: None
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown)
            return server.server_address

        yield start


def test_a_client_that_hangs_up_on_a_real_socket_is_noted_once(log, serve):
    left = threading.Event()
    done = threading.Event()
    app = Flask("streams")

    @app.get("/endless")
    def endless():
        def body():
            try:
                yield b"x"
                assert left.wait(5)
                while True:
                    yield b"x" * 65536
            finally:
                event(log, "closed")

        return body()

    class Noticing(Edge):
        def __call__(self, environ, start_response):
            response = super().__call__(environ, start_response)
            close = response.close

            def noticed():
                close()
                done.set()

            response.close = noticed
            return response

    address = serve(Noticing(app, "tasks", log))
    with socket.create_connection(address, 5) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: r-9\r\n\r\n")
        head = client.recv(4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    left.set()
    assert done.wait(5)
    assert b"X-Request-Id: r-9" in head
    (line,) = log.of("request")
    assert (line["aborted"], line["status"], line["request_id"]) == (True, 200, "r-9")
    assert [line["request_id"] for line in log.of("closed")] == ["r-9"]


def test_many_streaming_requests_at_once_never_mix_their_ids(log, serve):
    app = Flask("streams")
    together = threading.Barrier(8)

    @app.get("/<name>")
    def stream(name):
        def body():
            for _ in range(20):
                together.wait(10)
                event(log, "chunk", at=name)
                yield current().request_id.encode() + b"\n"

        return body()

    address = serve(Edge(app, "tasks", log))
    answers = {}

    def fetch(name):
        client = HTTPConnection(*address, timeout=10)
        client.request("GET", f"/{name}", headers={"X-Request-Id": name})
        answers[name] = client.getresponse().read().split()
        client.close()

    clients = [threading.Thread(target=fetch, args=(f"c{number}",)) for number in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(10)
    assert answers == {f"c{number}": [f"c{number}".encode()] * 20 for number in range(8)}
    assert len(log.of("chunk")) == 160
    assert all(line["at"] == line["request_id"] for line in log.of("chunk"))
