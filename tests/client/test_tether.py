"""Calls that are cut short end at once, are nobody's failure, and are never taken for whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from glassware.client import Client, CutError, Tether, outside_client
from glassware.client.transports import BreakerTransport, NetworkTransport
from glassware.observe.metrics import Metrics
from glassware.problems import UpstreamProblem


@pytest.fixture
def client_of() -> Iterator[Callable[..., Client]]:
    """Make clients of servers."""
    with ExitStack() as made:

        def make(server, **options):
            return made.enter_context(closing(Client("tasks", server.url, timeout=20, **options)))

        yield make


CLOSED_AT_THE_END = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it"


def cut_in(tether: Tether, call: Callable[[], object], holds: Callable[[], object]) -> float:
    """Make the call, cut it once the condition holds, and return how long that took to be felt."""

    def cut() -> None:
        while not holds():
            time.sleep(0.005)
        time.sleep(0.05)
        began.append(time.monotonic())
        tether.cut()

    began: list[float] = []
    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(CutError), tether.bound():
        call()
    thread.join()
    return time.monotonic() - began[0]


def test_a_call_that_waits_is_cut_short_at_once(wire, client_of):
    server = wire.serve(wire.hang)
    client = client_of(server)
    assert cut_in(Tether(), lambda: client.get("/"), lambda: server.requests) < 1
    assert len(server.requests) == 1, "it is not tried again"


def test_a_body_that_ends_with_its_connection_is_not_whole_when_that_is_cut(wire):
    def half(connection):
        connection.sendall(CLOSED_AT_THE_END)
        wire.hang(connection)

    server = wire.serve(half)
    outside = outside_client(allow=[server.url], timeout=20)
    seen = []

    def fetch() -> None:
        with outside.stream(server.url) as answer:
            seen.extend(answer)
            seen.append(b"the end")

    assert cut_in(Tether(), fetch, lambda: seen) < 1
    assert b"".join(seen) == b"half of it"


def test_what_is_cut_is_no_failure_of_the_neighbour(wire, client_of):
    server = wire.serve(*[wire.hang] * 3, wire.json({}))
    breaker = BreakerTransport(NetworkTransport(), "tasks", Metrics(), failures=2, pause=60)
    client = client_of(server, transport=breaker)
    for number in range(3):
        cut_in(Tether(), lambda: client.get("/"), lambda n=number: len(server.requests) > n)
    assert client.get("/") == {}


def test_a_tether_within_another_is_cut_with_it_and_not_the_other_way(wire, client_of):
    server = wire.serve(wire.hang, wire.hang, wire.json({}))
    client = client_of(server)
    outer = Tether()

    def inner_first() -> None:
        cut_in(Tether(), lambda: client.get("/"), lambda: server.requests)
        inner = Tether()
        with inner.bound():
            client.get("/")

    assert cut_in(outer, inner_first, lambda: len(server.requests) > 1) < 1
    assert client.get("/") == {}


def test_nothing_begins_once_it_is_cut(wire, client_of):
    server = wire.serve(wire.json({}))
    client = client_of(server)
    tether = Tether()
    tether.cut()
    with pytest.raises(CutError), tether.bound():
        client.get("/")
    assert server.requests == []


def test_whatever_fails_in_a_block_that_was_cut_is_the_cut():
    tether = Tether()
    with pytest.raises(UpstreamProblem), tether.bound():
        raise UpstreamProblem("before")
    tether.cut()
    with pytest.raises(CutError), tether.bound():
        raise UpstreamProblem("because of it")
    with pytest.raises(CutError), tether.bound():
        pass
