"""The client of a sibling, against real servers that behave well and badly."""

from __future__ import annotations

import gzip
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from glassware.client import Client
from glassware.observe import context
from glassware.problems import (
    InvalidProblem,
    UnauthorizedProblem,
    UnreachableProblem,
    UpstreamProblem,
    UpstreamTimeoutProblem,
    chain,
)

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzZWNyZXQifQ.c2lnbmF0dXJl-_"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    """Make clients of a service called tasks that are closed after the test."""
    with ExitStack() as stack:

        def make(url: str, **settings) -> Client:
            client = Client("tasks", url, **{"timeout": 2.0, **settings})
            stack.callback(client.close)
            return client

        yield make


# What is sent


def test_document_goes_out_and_comes_back(wire, client):
    server = wire.serve(wire.json({"id": 1, "title": "Käse"}, 201, ETag='"7"'))
    reply = client(server.url).request(
        "POST", "/tasks", json={"title": "Käse"}, headers={"Idempotency-Key": "k1"}
    )
    assert reply.document == {"id": 1, "title": "Käse"}
    assert (reply.status, reply.headers["ETag"]) == (201, '"7"')
    assert server.requests[0].endswith('\r\n\r\n{"title":"Käse"}'.encode())
    assert server.header("Content-Type") == "application/json"
    assert server.header("Accept") == "application/json"
    assert server.header("Accept-Encoding") == "identity"
    assert server.header("Idempotency-Key") == "k1"
    assert server.header("Authorization") is None


def test_each_verb_is_its_method(wire, client):
    server = wire.serve(wire.json({}))
    sibling = client(server.url)
    for verb in ("get", "post", "put", "patch", "delete"):
        assert getattr(sibling, verb)("/x") == {}
    assert server.lines() == ["GET /x", "POST /x", "PUT /x", "PATCH /x", "DELETE /x"]


@pytest.mark.parametrize(
    ("base", "reference", "params", "line"),
    [
        ("", "/tasks", None, "GET /tasks"),
        ("", "tasks", None, "GET /tasks"),
        ("/under", "/tasks", None, "GET /under/tasks"),
        ("/under/", "tasks?a=1", None, "GET /under/tasks?a=1"),
        ("", "/tasks?cursor=x", {"limit": 5}, "GET /tasks?cursor=x&limit=5"),
        ("", "/tasks", {"q": "a b&c", "n": [1, 2]}, "GET /tasks?q=a+b%26c&n=1&n=2"),
        ("", "/täsk", None, "GET /t%C3%A4sk"),
        ("", "", None, "GET /"),
    ],
)
def test_reference_is_taken_below_the_base(wire, client, base, reference, params, line):
    server = wire.serve(wire.json({}))
    client(server.url + base).get(reference, **({"params": params} if params else {}))
    assert server.lines() == [line]


def test_absolute_url_of_the_own_origin_is_called_as_it_is(wire, client):
    server = wire.serve(wire.json({}))
    client(server.url + "/under").get(f"{server.url}/elsewhere?a=1#part")
    assert server.lines() == ["GET /elsewhere?a=1"]


@pytest.mark.parametrize(
    "url",
    [
        "{other}/tasks",
        "//127.0.0.1:{port}/tasks",
        "https://127.0.0.1:{own}/tasks",
        "http://localhost:{own}/tasks",
        "http://user:word@127.0.0.1:{own}/tasks",
        "http://127.0.0.1:{own}@127.0.0.1:{port}/tasks",
        "http:127.0.0.1:{port}/tasks",
        "file:///etc/passwd",
        "http://[::1/",
        "http://127.0.0.1:{own}\r\nX: y/",
        "/\ud800",
        "http://xn--\ud800/",
    ],
)
def test_token_never_goes_to_another_origin(wire, client, url):
    own, other = wire.serve(wire.json({})), wire.serve(wire.json({}))
    sibling = client(own.url, token=lambda: TOKEN)
    with pytest.raises(InvalidProblem):
        sibling.get(url.format(other=other.url, port=other.port, own=own.port))
    assert own.connections == other.connections == 0


@pytest.mark.parametrize(
    "url", ["tasks:7002", "ftp://tasks", "http://u:p@tasks", "", "http://", "http://[::1"]
)
def test_base_url_must_be_one(url):
    with pytest.raises(ValueError, match="base URL") as raised:
        Client("tasks", url)
    assert "u:p" not in str(raised.value)


def test_trace_goes_along_as_a_child_on_each_try(wire, client):
    server = wire.serve(wire.reply(503), wire.json({}))
    with context.bind(context.current()) as trace:
        client(server.url).get("/")
    spans = [server.header("traceparent", n).split("-")[2] for n in (0, 1)]
    assert len({*spans, trace.span_id}) == 3
    for n in (0, 1):
        assert server.header("X-Request-Id", n) == trace.request_id
        assert server.header("traceparent", n).split("-")[1] == trace.trace_id


def test_token_is_asked_for_at_each_request(wire, client):
    server = wire.serve(wire.json({}))
    tokens = iter(["one", None, "three"])
    sibling = client(server.url, token=lambda: next(tokens))
    for expected in ("Bearer one", None, "Bearer three"):
        sibling.get("/")
        assert server.header("Authorization") == expected


def test_explicit_authorization_is_kept(wire, client):
    server = wire.serve(wire.json({}))
    client(server.url, token=lambda: TOKEN).get("/", headers={"Authorization": "Basic YTpi"})
    assert server.header("Authorization") == "Basic YTpi"


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "ä", "a\0"])
def test_token_that_is_none_is_not_sent_and_not_told(wire, client, token):
    server = wire.serve(wire.json({}))
    with pytest.raises(UnauthorizedProblem) as raised:
        client(server.url, token=lambda: token).get("/")
    assert server.connections == 0
    assert not token or token not in str(raised.value)


def test_cookies_are_not_kept_from_one_caller_for_the_next(wire, client):
    server = wire.serve(wire.json({}, Set_Cookie="session=alice; Path=/"), wire.json({}))
    sibling = client(server.url)
    sibling.get("/")
    sibling.get("/")
    assert server.header("Cookie") is None


def test_environment_has_no_say(wire, client, monkeypatch, tmp_path):
    server, proxy = wire.serve(wire.json({})), wire.serve(wire.json({"proxied": True}))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert client(server.url).get("/") == {}
    assert proxy.connections == 0
    assert server.header("Authorization") is None


def test_connection_is_used_again(wire, client):
    server = wire.serve(wire.json({}))
    sibling = client(server.url)
    for _ in range(5):
        sibling.get("/")
    assert (len(server.requests), server.connections) == (5, 1)


# What comes back


@pytest.mark.parametrize("document", [{"a": [1, None, "ä"]}, [], [{"b": 1}]])
def test_document_is_returned_as_it_was_sent(wire, client, document):
    server = wire.serve(wire.json(document, Content_Type="application/hal+json; charset=utf-8"))
    assert client(server.url).get("/") == document


def test_no_content_is_none(wire, client):
    server = wire.serve(wire.raw(b"HTTP/1.1 204 No Content\r\nContent-Type: text/html\r\n\r\n"))
    assert client(server.url).delete("/tasks/1") is None


def test_chain_of_causes_reaches_the_caller_whole(wire, client):
    cause = {"title": "Disk full", "status": 507, "service": "disks"}
    server = wire.serve(wire.problem(500, service="tasks", detail="no disk", cause=cause))
    with pytest.raises(UpstreamProblem) as raised:
        client(server.url).get("/tasks/1?secret=1")
    problem = raised.value
    assert problem.detail == "tasks answered GET /tasks/1 with 500."
    assert problem.upstream_status == 500
    links = list(chain(problem.document()))
    assert [link["title"] for link in links] == ["A neighbour failed", "Broken", "Disk full"]
    assert "upstream_status" not in problem.document()


def test_problem_in_xml_is_a_cause_too(wire, client):
    body = (
        b'<?xml version="1.0"?><problem xmlns="urn:ietf:rfc:7807"><title>Stale</title>'
        b"<status>412</status><detail>Version 3 is current.</detail></problem>"
    )
    server = wire.serve(wire.reply(412, body, Content_Type="application/problem+xml"))
    with pytest.raises(UpstreamProblem) as raised:
        client(server.url).patch("/tasks/1", json={})
    assert raised.value.upstream_status == 412
    assert raised.value.cause == {
        "title": "Stale",
        "status": 412,
        "detail": "Version 3 is current.",
    }


@pytest.mark.parametrize("status", [401, 403, 404, 409, 422, 429, 500, 599])
def test_failure_without_a_problem_gets_a_cause_that_quotes_it(wire, client, status):
    page = b"<h1>no\x00\r\n such\x1b[31m thing</h1>" + b"x" * 5000
    server = wire.serve(wire.reply(status, page, Content_Type="text/html"))
    with pytest.raises(UpstreamProblem) as raised:
        client(server.url).get("/x")
    cause = raised.value.cause
    assert raised.value.upstream_status == cause["status"] == status
    assert cause["service"] == "tasks"
    assert cause["title"]
    assert cause["detail"].startswith("<h1>no such [31m thing</h1>xxx")
    assert len(cause["detail"]) == 200
    assert cause["detail"].isprintable()


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"title": NaN}', b"", b"x" * 400_000])
def test_garbage_that_claims_to_be_a_problem_is_quoted(wire, client, body):
    server = wire.serve(wire.reply(500, body, Content_Type="application/problem+json"))
    with pytest.raises(UpstreamProblem) as raised:
        client(server.url).get("/x")
    assert raised.value.cause["title"] == "Internal Server Error"
    assert len(raised.value.cause["detail"]) <= 200


def test_redirect_is_a_failure_and_not_followed(wire, client):
    other = wire.serve(wire.json({}))
    server = wire.serve(wire.reply(307, Location=other.url))
    with pytest.raises(UpstreamProblem) as raised:
        client(server.url, token=lambda: TOKEN).get("/x")
    assert raised.value.upstream_status == 307
    assert other.connections == 0


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content_Type": "application/json"}, b"{"),
        ({"Content_Type": "application/json"}, b""),
        ({"Content_Type": "application/json"}, b"\xff\xfe"),
        ({"Content_Type": "application/json"}, b"[" * 100_000),
        ({"Content_Type": "application/json"}, b'{"a": 1, "a": 2}'),
        ({"Content_Type": "application/json"}, b"NaN"),
        ({"Content_Type": "text/html"}, b"<p>welcome"),
        ({}, b"{}"),
        (
            {"Content_Type": "application/json", "Content_Encoding": "gzip"},
            gzip.compress(b"{}", mtime=0),
        ),
    ],
)
def test_unusable_document_is_a_problem(wire, client, headers, body):
    server = wire.serve(wire.reply(200, body, **headers))
    with pytest.raises(UpstreamProblem) as raised:
        client(server.url).get("/x")
    assert raised.value.upstream_status == 200
    assert "tasks" in raised.value.detail


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: application/json\r\n\r\n{}",
        CHUNKED + b"2\r\n{}\r\n",
        CHUNKED + b"zz\r\n{}",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 300_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"",
    ],
)
def test_broken_answer_is_a_problem(wire, client, answer):
    server = wire.serve(wire.raw(answer))
    with pytest.raises(UpstreamProblem):
        client(server.url).post("/x")
    assert len(server.requests) == 1


def test_endless_document_is_cut_off(wire, client):
    server = wire.serve(wire.drip(CHUNKED, CHUNK, every=0))
    with pytest.raises(UpstreamProblem, match="is longer than"):
        client(server.url, timeout=20.0).get("/x")


def test_endless_problem_is_cut_off(wire, client):
    server = wire.serve(wire.drip(CHUNKED.replace(b"200 OK", b"500 Oh"), CHUNK, every=0))
    with pytest.raises(UpstreamProblem) as raised:
        client(server.url, timeout=20.0).get("/x")
    assert raised.value.upstream_status == 500


# Time


def took(call: Callable[[], object]) -> float:
    """Return the seconds until the call was given up."""
    start = time.monotonic()
    with pytest.raises(UpstreamTimeoutProblem) as raised:
        call()
    assert "tasks did not answer GET http://127.0.0.1:" in raised.value.detail
    assert "secret" not in raised.value.detail
    return time.monotonic() - start


@pytest.mark.parametrize("part", ["answer", "head", "body", "problem"])
def test_slow_sibling_is_given_up_in_time(wire, client, part):
    turn = {
        "answer": wire.hang,
        "head": wire.drip(b"HTTP/1.1 200 OK\r\nX: ", b"x", every=0.05),
        "body": wire.drip(CHUNKED, b"1\r\n \r\n", every=0.05),
        "problem": wire.drip(CHUNKED.replace(b"200 OK", b"500 Oh"), b"1\r\n \r\n", every=0.05),
    }[part]
    server = wire.serve(turn)
    sibling = client(server.url, timeout=0.3)
    start = time.monotonic()
    if part == "problem":
        with pytest.raises(UpstreamProblem):
            sibling.get("/x?secret=1")
    else:
        assert took(lambda: sibling.get("/x?secret=1")) >= 0.25
    assert time.monotonic() - start < 1.0
    assert len(server.requests) == 1


def test_connections_are_bounded_and_the_wait_for_one_too(wire, client):
    server = wire.serve(wire.raw(CHUNKED, keep=True))
    sibling = client(server.url, timeout=0.3)
    with ExitStack() as streams:
        for _ in range(64):
            streams.enter_context(sibling.stream("GET", "/file"))
        assert took(lambda: sibling.get("/x?secret=1")) < 1.0
    assert len(server.requests) == server.connections == 64


def test_nobody_listening_is_unreachable(client, closed_port):
    with pytest.raises(UnreachableProblem) as raised:
        client(f"http://127.0.0.1:{closed_port}").get("/x?secret=1")
    assert (
        f"tasks cannot be reached for GET http://127.0.0.1:{closed_port}/x" in raised.value.detail
    )
    assert "secret" not in raised.value.detail


def test_sibling_with_an_unsigned_certificate_gets_no_token(wire, client, tls):
    server = wire.serve(wire.json({}), tls=tls)
    with pytest.raises(UnreachableProblem, match="CERTIFICATE_VERIFY_FAILED"):
        client(server.url, token=lambda: TOKEN).get("/x")
    assert server.requests == []


def test_unknown_name_is_unreachable(client):
    with pytest.raises(UnreachableProblem):
        client("http://no-such-host.invalid", retries=0).get("/x")


# Tries


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("status", [502, 503, 504])
def test_idempotent_request_is_tried_again(wire, client, method, status):
    server = wire.serve(wire.reply(status), wire.reply(status), wire.reply(204))
    client(server.url).request(method, "/x")
    assert len(server.requests) == 3


def test_passing_loss_of_the_connection_is_tried_again(wire, client):
    server = wire.serve(wire.drop, wire.reset, wire.json({"ok": True}))
    assert client(server.url).put("/x", json={"a": 1}) == {"ok": True}
    assert [request.rpartition(b"\r\n")[2] for request in server.requests] == [b'{"a":1}'] * 3


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_other_request_is_tried_once(wire, client, method):
    server = wire.serve(wire.reply(503))
    with pytest.raises(UpstreamProblem):
        client(server.url).request(method, "/x")
    assert len(server.requests) == 1


def test_request_with_an_idempotency_key_is_tried_again(wire, client):
    server = wire.serve(wire.reply(503), wire.json({}, 201))
    client(server.url).post("/x", headers={"Idempotency-Key": "k"})
    assert [server.header("Idempotency-Key", n) for n in (0, 1)] == ["k", "k"]


@pytest.mark.parametrize("status", [400, 404, 408, 429, 500, 501])
def test_lasting_failure_is_tried_once(wire, client, status):
    server = wire.serve(wire.reply(status))
    with pytest.raises(UpstreamProblem):
        client(server.url).get("/x")
    assert len(server.requests) == 1


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_tries_are_bounded(wire, client, retries):
    server = wire.serve(wire.problem(503, detail="busy"))
    with pytest.raises(UpstreamProblem) as raised:
        client(server.url, retries=retries).get("/x")
    assert len(server.requests) == retries + 1
    assert raised.value.cause["detail"] == "busy"


def test_tries_end_with_the_time_of_the_call(wire, client):
    server = wire.serve(wire.reply(503))
    start = time.monotonic()
    with pytest.raises(UpstreamProblem):
        client(server.url, retries=50, timeout=0.5).get("/x")
    assert time.monotonic() - start < 0.95
    assert 2 <= len(server.requests) <= 5


def test_try_after_a_pause_has_only_the_time_that_is_left(wire, client):
    server = wire.serve(wire.reply(503, Retry_After="0"), wire.hang)
    assert took(lambda: client(server.url, timeout=0.5).get("/x")) < 0.95


def test_retry_after_is_waited_for(wire, client):
    server = wire.serve(wire.reply(503, Retry_After="1"), wire.json({}))
    start = time.monotonic()
    client(server.url).get("/x")
    assert time.monotonic() - start >= 1.0


@pytest.mark.parametrize(
    "value", ["3600", "9" * 500, "Fri, 31 Dec 2999 23:59:59 GMT", "Fri, 31 Dec 2999 23:59:59 -0000"]
)
def test_retry_after_beyond_the_time_ends_the_tries(wire, client, value):
    server = wire.serve(wire.reply(503, Retry_After=value))
    start = time.monotonic()
    with pytest.raises(UpstreamProblem):
        client(server.url).get("/x")
    assert time.monotonic() - start < 2.0
    assert len(server.requests) == 1


@pytest.mark.parametrize("value", ["soon", "-1", "١", "Wed, 21 Oct 2015 07:28:00 GMT", ""])
def test_retry_after_that_says_nothing_leaves_the_own_pause(wire, client, value):
    headers = {"Retry_After": value.encode().decode("latin-1")}
    server = wire.serve(wire.reply(503, **headers), wire.json({}))
    client(server.url).get("/x")
    assert len(server.requests) == 2


# Streams


def test_stream_gives_the_bytes_as_they_are(wire, client):
    body = gzip.compress(b"content" * 50_000)
    server = wire.serve(wire.reply(200, body, Content_Type="application/gzip"))
    with client(server.url).stream("GET", "/file") as answer:
        assert (answer.status, answer.length, answer.content_type) == (
            200,
            len(body),
            "application/gzip",
        )
        assert b"".join(answer) == body
    assert server.header("Accept") == "*/*"


def test_stream_may_take_longer_than_a_document_but_not_fall_silent(wire, client):
    def turn(connection):
        connection.sendall(CHUNKED)
        for _ in range(8):
            connection.sendall(b"1\r\nx\r\n")
            time.sleep(0.1)
        connection.recv(1)

    server = wire.serve(turn)
    received = []
    with client(server.url, timeout=0.4).stream("GET", "/file") as answer:
        with pytest.raises(UpstreamTimeoutProblem):
            received.extend(answer)
    assert received == [b"x"] * 8


@pytest.mark.parametrize("turn", ["short", "reset"])
def test_stream_that_breaks_off_is_a_problem(wire, client, turn):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"

    def reset(connection):
        connection.sendall(head)
        time.sleep(0.05)
        wire.reset(connection)

    server = wire.serve({"short": wire.raw(head), "reset": reset}[turn])
    with client(server.url).stream("GET", "/file") as answer:
        with pytest.raises(UpstreamProblem):
            list(answer)


def test_failed_stream_is_a_problem_with_its_cause(wire, client):
    server = wire.serve(wire.problem(404, detail="no such file"))
    with pytest.raises(UpstreamProblem) as raised:
        with client(server.url).stream("GET", "/file"):
            pytest.fail("there is nothing to read")
    assert raised.value.cause["detail"] == "no such file"


def test_stream_left_unread_does_not_hold_its_connection(wire, client):
    server = wire.serve(wire.drip(CHUNKED, CHUNK, every=0))
    sibling = client(server.url)
    for _ in range(70):
        with sibling.stream("GET", "/file"):
            pass
    assert server.connections == 70


# The token stays secret


def test_token_is_in_no_log_repr_or_problem(wire, client, caplog):
    caplog.set_level(logging.DEBUG)
    server = wire.serve(
        wire.json({}),
        wire.problem(401, detail=f"The token {TOKEN} has expired.", got=[f"Bearer {TOKEN}"]),
        wire.reply(500, f"Traceback: Authorization: Bearer {TOKEN}".encode()),
        wire.drop,
    )
    sibling = client(server.url, token=lambda: TOKEN, retries=0)
    sibling.get("/")
    texts = [repr(sibling), str(vars(sibling))]
    for _ in range(3):
        with pytest.raises(UpstreamProblem) as raised:
            sibling.get("/")
        texts += [*traceback.format_exception(raised.value), str(raised.value.document())]
    assert server.header("Authorization") == f"Bearer {TOKEN}"
    assert caplog.records
    assert not [text for text in [*texts, caplog.text] if TOKEN in text]
