"""A neighbour that fails time and again is left alone, and nobody can have that done to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.client import Client
from glassware.client.transports import (
    BreakerTransport,
    Budget,
    Deadline,
    NetworkTransport,
    RetryTransport,
)
from glassware.client.transports.network import timeouts
from glassware.observe.context import Trace, bind
from glassware.observe.metrics import Metrics
from glassware.problems import UnreachableProblem, UpstreamProblem, UpstreamTimeoutProblem

FAILURES, PAUSE, PATIENCE = 3, 10.0, 5.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Script(httpx2.BaseTransport):
    """Answers with a status, or raises."""

    def __init__(self) -> None:
        self.outcome: int | Exception = 200
        self.sent = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return httpx2.Response(self.outcome)


def request(seconds: float = PATIENCE) -> httpx2.Request:
    return httpx2.Request("GET", "http://x/", extensions=timeouts(Deadline(seconds)))


def tell(breaker: BreakerTransport, seconds: float = PATIENCE) -> str:
    try:
        return str(breaker.handle_request(request(seconds)).status_code)
    except UnreachableProblem:
        return "refused"
    except httpx2.TransportError as error:
        return type(error).__name__


OUTCOMES: list[tuple[Any, float, bool | None]] = [
    (200, PATIENCE, False),
    (404, PATIENCE, False),
    (500, PATIENCE, False),
    (429, PATIENCE, False),
    (502, PATIENCE, True),
    (503, PATIENCE, True),
    (504, PATIENCE, True),
    (httpx2.ConnectError("no"), PATIENCE, True),
    (httpx2.RemoteProtocolError("no"), PATIENCE, True),
    (httpx2.ReadTimeout("no"), PATIENCE, True),
    (httpx2.ReadTimeout("no"), PATIENCE / 2, None),
    (httpx2.ConnectTimeout("no"), 0.001, None),
]
STEPS = st.lists(
    st.tuples(st.sampled_from(OUTCOMES), st.sampled_from([0.0, 1.0, 4.0, PAUSE])), max_size=60
)


@settings(max_examples=500)
@given(steps=STEPS)
def test_it_opens_and_closes_by_failures_in_a_row_and_time(steps: Any) -> None:
    clock, script, metrics = Clock(), Script(), Metrics()
    breaker = BreakerTransport(
        script, "x", metrics, failures=FAILURES, pause=PAUSE, patience=PATIENCE, clock=clock
    )
    in_a_row, rests_until, refused = 0, 0.0, 0
    for (outcome, seconds, failed), step in steps:
        clock.now += step
        script.outcome, before = outcome, script.sent
        told = tell(breaker, seconds)
        if in_a_row >= FAILURES and clock.now < rests_until:
            refused += 1
            assert (told, script.sent) == ("refused", before)
        else:
            assert script.sent == before + 1
            assert told != "refused"
            if failed is not None:
                in_a_row = in_a_row + 1 if failed else 0
                rests_until = clock.now + PAUSE
            elif in_a_row >= FAILURES:
                rests_until = clock.now
    value = metrics.registry.get_sample_value
    assert value("client_refused_total", {"service": "x"}) == refused
    assert value("client_circuit_open", {"service": "x"}) == (in_a_row >= FAILURES)


Make = Callable[..., Client]


@pytest.fixture
def make() -> Any:
    """Make clients with a breaker, and without tries again."""
    made: list[Client] = []

    def run(url: str, timeout: float = 5.0, **more: Any) -> Client:
        breaker = BreakerTransport(
            NetworkTransport(), "tasks", Metrics(), failures=FAILURES, patience=timeout, **more
        )
        made.append(Client("tasks", url, transport=breaker, timeout=timeout, retries=0))
        return made[-1]

    yield run
    for client in made:
        client.close()


def fail(client: Client, times: int) -> None:
    for _ in range(times):
        with pytest.raises(UpstreamProblem):
            client.get("/x")


def test_while_it_is_left_alone_no_byte_is_sent_and_the_caller_is_told_so(
    wire: Any, make: Make
) -> None:
    server = wire.serve(wire.reply(503))
    client = make(server.url, pause=60)
    fail(client, FAILURES)
    with pytest.raises(UnreachableProblem, match="tasks failed 3 times in a row") as refused:
        client.get("/x")
    assert 0 < int(refused.value.headers["Retry-After"]) <= 60
    assert len(server.requests) == FAILURES


def test_of_all_who_wait_one_tries_and_then_all_may(wire: Any, make: Make) -> None:
    gate = threading.Event()

    def slowly(connection: Any) -> Any:
        assert gate.wait(10)
        return wire.json({})(connection)

    server = wire.serve(*[wire.reply(503)] * FAILURES, slowly, wire.json({}))
    client = make(server.url, pause=0.2)
    fail(client, FAILURES)
    time.sleep(0.25)
    outcomes: list[str] = []

    def ask() -> None:
        try:
            outcomes.append(str(client.get("/x")))
        except UnreachableProblem:
            outcomes.append("refused")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while len(outcomes) < 7 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert outcomes == ["refused"] * 7
    gate.set()
    for thread in threads:
        thread.join(10)
    assert outcomes[7:] == ["{}"]
    assert [client.get("/x") for _ in range(3)] == [{}] * 3


def test_callers_in_a_hurry_cut_nobody_off(wire: Any, make: Make) -> None:
    server = wire.serve(*[wire.hang] * 6, wire.json({}))
    client = make(server.url, timeout=5.0, pause=60)
    for _ in range(6):
        with bind(Trace.incoming(timeout="0.02")), pytest.raises(UpstreamTimeoutProblem):
            client.get("/x")
    assert client.get("/x") == {}


def test_a_neighbour_that_is_left_alone_is_not_tried_again(wire: Any) -> None:
    server = wire.serve(wire.reply(503))
    breaker = BreakerTransport(NetworkTransport(), "x", Metrics(), failures=2, pause=60)
    client = Client("x", server.url, transport=breaker, retries=5)
    began = time.monotonic()
    with pytest.raises(UnreachableProblem):
        client.get("/x")
    assert len(server.requests) == 2
    assert time.monotonic() - began < 1
    client.close()


@settings(max_examples=100)
@given(
    share=st.sampled_from([0.0, 0.1, 0.2, 1.0]),
    reserve=st.integers(1, 10),
    calls=st.integers(1, 120),
    retries=st.integers(1, 4),
)
def test_tries_again_are_a_share_of_all_calls_and_a_reserve(
    share: float, reserve: int, calls: int, retries: int
) -> None:
    script = Script()
    script.outcome = 503
    retry = RetryTransport(script, retries, backoff=0, budget=Budget(share, float(reserve)))
    for _ in range(calls):
        assert retry.handle_request(request(60)).status_code == 503
    again = script.sent - calls
    assert again <= min(calls * retries, reserve + share * calls)
    assert again >= min(calls * retries, reserve)


def test_after_a_storm_good_calls_earn_tries_again() -> None:
    script = Script()
    script.outcome = 503
    retry = RetryTransport(script, 1, backoff=0, budget=Budget(0.5, 2.0))
    for _ in range(50):
        retry.handle_request(request(60))
    script.outcome = 200
    for _ in range(4):
        retry.handle_request(request(60))
    script.outcome, before = 503, script.sent
    retry.handle_request(request(60))
    assert script.sent == before + 2
