"""The transports by themselves, and a sibling in the same process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar

import flask
import httpcore2
import httpx2
import pytest
from werkzeug.serving import make_server

from glassware.client import Client
from glassware.client.transports import Deadline, Network, RetryTransport, WSGITransport
from glassware.client.transports.network import timeouts
from glassware.observe import context
from glassware.problems import UpstreamProblem

WHO: ContextVar[str] = ContextVar("who", default="nobody")


def sibling() -> flask.Flask:
    """Make a small provider, as another service would be."""
    app = flask.Flask("sibling")

    @app.post("/echo/<path:name>")
    def echo(name: str) -> flask.typing.ResponseReturnValue:
        seen = {key.lower(): value for key, value in flask.request.headers.items()}
        body = flask.request.get_json()
        return {"name": name, "args": flask.request.args, "body": body, "seen": seen}, 201

    @app.get("/empty")
    def empty() -> flask.typing.ResponseReturnValue:
        return "", 204

    @app.get("/stream")
    def stream() -> flask.Response:
        WHO.set("sibling")

        def chunks() -> Iterator[str]:
            for n in range(3):
                yield f"{flask.request.path} {WHO.get()} {n};"

        return flask.Response(flask.stream_with_context(chunks()))

    @app.get("/short")
    def short() -> flask.Response:
        return flask.Response(iter([b"abc"]), headers={"Content-Length": "9"})

    @app.get("/long")
    def long() -> flask.Response:
        return flask.Response(iter([b"abcdef"]), headers={"Content-Length": "3"})

    @app.get("/who")
    def who() -> dict[str, object]:
        return {"who": WHO.get(), "bound": context.bound() is not None}

    return app


@pytest.fixture
def client() -> Client:
    return Client("sibling", "http://sibling/", transport=WSGITransport(sibling()))


def test_sibling_in_process_sees_what_it_would_see_over_a_socket(client):
    with context.bind(context.current()) as trace:
        answer = client.post("/echo/Käse/%2F?a=1&a=2", json={"n": 1}, params={"b": "ö"})
    assert answer["name"] == "Käse//"
    assert answer["args"] == {"a": "1", "b": "ö"}
    assert answer["body"] == {"n": 1}
    assert answer["seen"]["host"] == "sibling"
    assert answer["seen"]["x-request-id"] == trace.request_id
    assert answer["seen"]["traceparent"].split("-")[1] == trace.trace_id


def test_sibling_in_process_and_over_a_socket_answer_alike(client):
    server = make_server("127.0.0.1", 0, sibling(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    far = Client("sibling", f"http://127.0.0.1:{server.port}")
    try:
        for path in ("/echo/a%20b/ü?x=%C3%A4", "/echo/%F0%9F%A7%80"):
            near_answer, far_answer = (one.post(path, json=[1]) for one in (client, far))
            assert near_answer["name"] == far_answer["name"]
            assert near_answer["args"] == far_answer["args"]
        assert client.get("/empty") == far.get("/empty")
        for one in (client, far):
            with pytest.raises(UpstreamProblem) as raised:
                one.get("/missing")
            assert raised.value.upstream_status == 404
    finally:
        far.close()
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_caller_and_sibling_in_one_process_do_not_see_each_other(client):
    caller = flask.Flask("caller")
    WHO.set("caller")
    with caller.test_request_context("/outer"), context.bind(context.current()):
        assert client.get("/who") == {"who": "nobody", "bound": False}
        with client.stream("GET", "/stream") as answer:
            seen = []
            for chunk in answer:
                seen.append(chunk.decode())
                assert (flask.request.path, WHO.get()) == ("/outer", "caller")
    assert seen == [f"/stream sibling {n};" for n in range(3)]


def test_stream_left_unread_ends_the_siblings_part():
    closed: list[str] = []

    class Body:
        def __init__(self) -> None:
            self.chunks = iter([b"one", b"two"])

        def __iter__(self) -> Iterator[bytes]:
            return self.chunks

        def close(self) -> None:
            closed.append(WHO.get())

    def app(environ, start_response):
        start_response("200 OK", [])
        WHO.set("sibling")
        return Body()

    client = Client("sibling", "http://sibling", transport=WSGITransport(app))
    with client.stream("GET", "/") as answer:
        assert next(iter(answer)) == b"one"
    assert closed == ["sibling"]


@pytest.mark.parametrize("path", ["/short", "/long"])
def test_body_of_another_length_than_announced_is_a_problem(client, path):
    with client.stream("GET", path) as answer, pytest.raises(UpstreamProblem, match="bytes, not"):
        list(answer)


def test_exception_in_a_sibling_in_process_reaches_the_test():
    def app(environ, start_response):
        raise LookupError("a bug of the sibling")

    with pytest.raises(LookupError):
        Client("sibling", "http://sibling", transport=WSGITransport(app)).get("/")


def test_deadline_shrinks_and_stays_a_number():
    deadline = Deadline(0.2)
    assert deadline == 0.2
    assert 0.1 < deadline.left() <= 0.2
    time.sleep(0.05)
    assert deadline.left() <= 0.15
    assert Deadline(0.2, time.monotonic() - 1).left() == 0
    assert Deadline(0.2, time.monotonic() + 60).left() == 0.2


class Failing(httpx2.BaseTransport):
    """Fails on the way, each time."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.tries = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.tries += 1
        raise self.error


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (httpx2.ConnectError("refused"), 3),
        (httpx2.ReadError("reset"), 3),
        (httpx2.RemoteProtocolError("gone"), 3),
        (httpx2.ReadTimeout("slow"), 1),
        (httpx2.LocalProtocolError("ours"), 1),
        (UpstreamProblem("said"), 1),
    ],
)
def test_only_a_failure_on_the_way_is_tried_again(error, tries):
    failing = Failing(error)
    request = httpx2.Request("GET", "http://sibling/", extensions=timeouts(Deadline(5)))
    with pytest.raises(type(error)):
        RetryTransport(failing, retries=2, backoff=0.001).handle_request(request)
    assert failing.tries == tries


def test_failure_on_the_way_is_not_tried_again_when_the_time_is_over():
    failing = Failing(httpx2.ConnectError("refused"))
    request = httpx2.Request("GET", "http://sibling/", extensions=timeouts(Deadline(0.05)))
    with pytest.raises(httpx2.ConnectError):
        RetryTransport(failing, retries=9, backoff=0.2).handle_request(request)
    assert failing.tries == 1


@pytest.mark.parametrize("timeout", [Deadline(5, 0.0), 0.0, None])
def test_no_wait_begins_after_the_deadline_or_without_a_timeout(timeout):
    with pytest.raises(httpcore2.ConnectTimeout):
        Network().connect_tcp("127.0.0.1", 9, timeout)


def test_pauses_double_and_differ():
    def run() -> float:
        request = httpx2.Request("GET", "http://sibling/", extensions=timeouts(Deadline(5)))
        start = time.monotonic()
        with pytest.raises(httpx2.ConnectError):
            RetryTransport(Failing(httpx2.ConnectError("")), 3, 0.02).handle_request(request)
        return time.monotonic() - start

    taken = [run() for _ in range(5)]
    assert all(0.07 <= seconds <= 0.25 for seconds in taken)
    assert len({round(seconds, 4) for seconds in taken}) > 1
