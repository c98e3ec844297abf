"""The issuer's keys, from issuers of every kind of health, over real sockets."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from glassware.auth.jwks import RemoteKeys, read_keys
from glassware.auth.signing import public_jwk
from glassware.client import Client
from glassware.client.transports import NetworkTransport
from glassware.problems import KeysUnavailableProblem

#: Seconds in which an answer from memory is given, on a busy machine too.
AT_ONCE = 0.5


class Server:
    """An issuer on a socket; ``answer`` writes the whole HTTP answer, ``asked`` counts requests."""

    def __init__(self) -> None:
        self.asked = 0
        self.keys = [new_key("first")]
        self.answer: Callable[[BaseHTTPRequestHandler], None] = self.healthy
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                outer.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/jwks.json"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def healthy(self, handler: BaseHTTPRequestHandler) -> None:
        self.send(handler, json.dumps({"keys": self.keys}).encode())

    def hanging(self, handler: BaseHTTPRequestHandler) -> None:
        self.release.wait(10)
        handler.close_connection = True

    def send(
        self,
        handler: BaseHTTPRequestHandler,
        body: bytes,
        status: int = 200,
        kind: str = "application/json",
        length: int | None = None,
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    def kill(self) -> None:
        """Stop listening: connections are refused from now on."""
        self.release.set()
        if self.thread.is_alive():
            self.http.shutdown()
            self.thread.join()
        self.http.server_close()


def new_key(kid: str) -> dict[str, Any]:
    return public_jwk(kid, "ES256", ec.generate_private_key(ec.SECP256R1()).public_key())


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.kill()


Make = Callable[..., RemoteKeys]


@pytest.fixture
def make(server: Server) -> Iterator[Make]:
    """Make a key set over the network; times in seconds."""
    network = NetworkTransport()

    def run(url: str | None = None, timeout: float = 2.0, **times: Any) -> RemoteKeys:
        address = url or server.url
        client = Client("auth", address, transport=network, timeout=timeout, retries=0)
        return RemoteKeys(lambda: client.get(address), ["ES256"], **{"cooldown": 0.0, **times})

    yield run
    server.release.set()
    wait_for(lambda: not [each for each in threading.enumerate() if each.name == "jwks"])
    network.close()


def wait_for(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    result = work()
    return result, time.monotonic() - began


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_request_of_all_gets_its_key(server: Server, make: Make) -> None:
    assert make(patience=5.0).find("first").key_id == "first"
    assert server.asked == 1


def test_an_expired_key_set_is_served_while_the_issuer_hangs(server: Server, make: Make) -> None:
    clock = Clock()
    keys = make(patience=5.0, clock=clock, refresh=300.0, cooldown=5.0)
    keys.find("first")
    server.answer = server.hanging
    for _ in range(3):
        clock.now += 301
        key, seconds = timed(lambda: keys.find("first"))
        assert key.key_id == "first"
        assert seconds < AT_ONCE
    wait_for(lambda: server.asked > 1)


def test_an_expired_key_set_is_served_while_the_issuer_is_down(server: Server, make: Make) -> None:
    clock = Clock()
    keys = make(patience=5.0, clock=clock)
    keys.find("first")
    server.kill()
    clock.now += 80_000
    for _ in range(20):
        key, seconds = timed(lambda: keys.find("first"))
        assert key.key_id == "first"
        assert seconds < AT_ONCE


def garbage(server: Server) -> dict[str, Callable[[BaseHTTPRequestHandler], None]]:
    key = json.dumps({"keys": [new_key("other")]}).encode()
    return {
        "a page": lambda to: server.send(to, b"<html>", kind="text/html"),
        "a fault": lambda to: server.send(to, b"{}", status=500),
        "a key set as a fault": lambda to: server.send(to, key, status=503),
        "a redirect": lambda to: server.send(to, key, status=302),
        "nothing": lambda to: server.send(to, b""),
        "half an answer": lambda to: server.send(to, key[:20], length=len(key)),
        "no key set": lambda to: server.send(to, b'{"jwks": []}'),
        "a list": lambda to: server.send(to, b"[]"),
        "no keys": lambda to: server.send(to, b'{"keys": []}'),
        "keys of nothing": lambda to: server.send(to, b'{"keys": null}'),
        "depth": lambda to: server.send(to, b"[" * 100_000),
        "no HTTP": lambda to: to.wfile.write(b"\0" * 100),
        "a reset": lambda to: to.connection.shutdown(socket.SHUT_RDWR),
    }


@pytest.mark.parametrize("kind", list(garbage(None)))
def test_keys_once_seen_outlive_any_answer(server: Server, make: Make, kind: str) -> None:
    clock = Clock()
    keys = make(patience=5.0, clock=clock)
    keys.find("first")
    server.answer = garbage(server)[kind]
    clock.now += 301
    keys.find("first")
    wait_for(lambda: not keys._healthy)
    key, seconds = timed(lambda: keys.find("first"))
    assert key.key_id == "first"
    assert seconds < AT_ONCE
    # The sick issuer's word is not taken on what keys there are.
    with pytest.raises(KeysUnavailableProblem):
        keys.find("other")
    server.answer, server.keys = server.healthy, [*server.keys, new_key("second")]
    wait_for(lambda: keys.find("first") and "second" in keys._keys)


def test_a_hung_issuer_that_was_never_seen_costs_one_request_its_patience(
    server: Server, make: Make
) -> None:
    server.answer = server.hanging
    keys = make(patience=0.2, timeout=0.4, cooldown=60.0)

    def refused() -> str:
        with pytest.raises(KeysUnavailableProblem) as problem:
            keys.find("first")
        return problem.value.headers["Retry-After"]

    wait, seconds = timed(refused)
    assert wait == "60"
    assert 0.2 <= seconds < 0.2 + AT_ONCE
    wait_for(lambda: not keys._healthy)
    _, seconds = timed(lambda: [refused() for _ in range(100)])
    assert seconds < 2 * AT_ONCE
    assert server.asked == 1


def test_an_issuer_that_is_down_is_unavailable_and_not_a_bad_token(make: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys = make(url=f"http://127.0.0.1:{port}/jwks.json", patience=1.0)
    with pytest.raises(KeysUnavailableProblem):
        keys.find("first")
    with pytest.raises(KeysUnavailableProblem):
        keys.ready()


def test_a_service_is_ready_as_soon_as_there_are_keys(server: Server, make: Make) -> None:
    keys = make(patience=5.0)
    keys.ready()
    server.kill()
    keys.ready()
    assert keys.find("first")


def test_readiness_keeps_the_keys_of_an_idle_service_fresh(server: Server, make: Make) -> None:
    clock = Clock()
    keys = make(patience=5.0, refresh=300.0, clock=clock)
    assert keys.age() == float("inf")
    keys.ready()
    clock.now += 299
    keys.ready()
    assert (keys.age(), server.asked) == (299, 1)
    server.keys = [new_key("second")]
    clock.now += 2
    keys.ready()
    wait_for(lambda: keys.age() == 0)
    assert keys.find("second").key_id == "second"


def test_readiness_waits_for_no_issuer_while_there_are_keys(server: Server, make: Make) -> None:
    clock = Clock()
    keys = make(patience=5.0, refresh=300.0, clock=clock)
    keys.ready()
    server.answer = lambda handler: server.release.wait(20)
    clock.now += 301
    assert timed(keys.ready)[1] < 1
    assert keys.age() == 301


def test_a_thousand_invented_key_ids_cost_the_issuer_one_request(
    server: Server, make: Make
) -> None:
    keys = make(patience=5.0, cooldown=60.0)
    keys.find("first")
    keys._asked_at = float("-inf")
    for number in range(1000):
        with pytest.raises(KeyError):
            keys.find(f"invented-{number}")
    assert server.asked <= 2


def test_a_crowd_at_the_start_asks_once(server: Server, make: Make) -> None:
    keys = make(patience=5.0, cooldown=60.0)
    barrier, found = threading.Barrier(50), []

    def find() -> None:
        barrier.wait()
        found.append(keys.find("first").key_id)

    threads = [threading.Thread(target=find) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["first"] * 50
    assert server.asked == 1


def test_a_new_key_is_found_by_the_first_token_that_names_it(server: Server, make: Make) -> None:
    clock = Clock()
    keys = make(patience=5.0, cooldown=5.0, clock=clock)
    keys.find("first")
    server.keys = [new_key("second")]
    with pytest.raises(KeyError):
        keys.find("second")
    clock.now += 5.1
    assert keys.find("second").key_id == "second"
    # And the one that is gone is gone.
    with pytest.raises(KeyError):
        keys.find("first")


def test_a_withdrawn_key_is_gone_after_the_refresh(server: Server, make: Make) -> None:
    clock = Clock()
    keys = make(patience=5.0, refresh=300.0, clock=clock)
    keys.find("first")
    server.keys = [new_key("second")]
    clock.now += 301
    keys.find("first")
    wait_for(lambda: "second" in keys._keys)
    with pytest.raises(KeyError):
        keys.find("first")


def test_keys_are_not_believed_for_ever(server: Server, make: Make) -> None:
    clock = Clock()
    keys = make(patience=1.0, grace=1000.0, clock=clock)
    keys.find("first")
    server.kill()
    clock.now += 999
    assert keys.find("first")
    clock.now += 2
    with pytest.raises(KeysUnavailableProblem):
        keys.find("first")


GOOD = new_key("good")


@pytest.mark.parametrize(
    "other",
    [
        {**GOOD, "kid": "other", "use": "enc"},
        {**GOOD, "kid": "other", "key_ops": ["encrypt"]},
        {**GOOD, "kid": "other", "key_ops": []},
        {**GOOD, "kid": "other", "alg": "RS256"},
        {**GOOD, "kid": "other", "alg": None},
        {name: value for name, value in GOOD.items() if name != "kid"},
        {**GOOD, "kid": 7},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "other", "alg": "HS256"},
    ],
)
def test_only_keys_that_may_check_such_a_signature_are_used(other: dict[str, Any]) -> None:
    assert set(read_keys({"keys": [other, GOOD]}, frozenset({"ES256"}))) == {"good"}


@pytest.mark.parametrize(
    "other",
    [
        {**GOOD, "kid": "other", "kty": "new"},
        {**GOOD, "kid": "other", "crv": "P-999"},
        {**GOOD, "kid": "other", "x": "!"},
        {**GOOD, "kid": "other", "x": GOOD["y"]},
        {**GOOD, "kid": "other", "x": 7},
        {"kid": "other", "alg": "ES256", "kty": "EC"},
        {"kid": "other", "alg": "ES256"},
        {**GOOD, "kid": "other", "key_ops": 7},
        "other",
        None,
        [],
    ],
)
def test_a_key_that_is_not_understood_spoils_no_other(other: Any) -> None:
    """RFC 7517 section 5: a set may hold keys of kinds yet to come."""
    assert set(read_keys({"keys": [other, GOOD]}, frozenset({"ES256"}))) == {"good"}
