"""The time that a caller waits shrinks from hop to hop, and nobody works for one who has gone."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from flask import request
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.api import Resource, runtime, sibling
from glassware.auth import public
from glassware.client import Client, outside_client
from glassware.observe.context import TIMEOUT_HEADER, Trace, bind, ends
from glassware.problems import OutOfTimeProblem, UpstreamTimeoutProblem
from glassware.service import Service
from glassware.testing import Issuer, Mesh, assert_problem

#: What the hops were told, in the order in which they were asked.
TOLD: list[tuple[str, str]] = []


class Hop(Resource):
    """Asks the next one, if there is one."""

    path = "/hop"
    policy = public("a hop")

    def get(self, who: Any) -> Any:
        here = runtime()
        TOLD.append((here.service, request.headers.get(TIMEOUT_HEADER, "inf")))
        for name in here.siblings:
            return sibling(name).get("/hop")
        return {"left": str(ends() - time.monotonic())}


def hop(name: str, *following: str) -> Service:
    siblings = dict.fromkeys(following, "http://127.0.0.1:7000")
    return Service(name, package="glassware", resources=(Hop,), siblings=siblings)


CHAIN = [hop("first", "second"), hop("second", "third"), hop("third", "fourth"), hop("fourth")]


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with Mesh(CHAIN, transports={"auth": Issuer().transport}) as mesh:
        yield mesh


def ask(mesh: Mesh, timeout: str | None) -> Any:
    TOLD.clear()
    headers = {} if timeout is None else {TIMEOUT_HEADER: timeout}
    return mesh.client("first").get("/hop", headers=headers)


@settings(max_examples=200)
@given(milliseconds=st.integers(1, 20_000), more=st.integers(0, 999))
def test_it_shrinks_at_every_hop(mesh: Mesh, milliseconds: int, more: int) -> None:
    text = f"{milliseconds // 1000}.{milliseconds % 1000:03}{more:03}"
    answer = ask(mesh, text)
    told = [float(seconds) for _, seconds in TOLD]
    assert told[0] == float(text)
    assert all(before > after for before, after in pairwise(told))
    assert all(seconds < 5 for seconds in told[1:]), "client.timeout is 5 seconds"
    if answer.status_code == 200:
        assert len(told) == 4
        assert float(answer.json()["left"]) < told[3]
    else:
        assert answer.status_code in (502, 504)
        assert milliseconds < 1000


@pytest.mark.parametrize(
    "timeout", [None, "", "-1", "1e3", "inf", "nan", "1s", "1234567", "1,5", "٣"]
)
def test_without_a_number_it_begins_at_the_first_call(mesh: Mesh, timeout: str | None) -> None:
    headers = {} if timeout is None else {TIMEOUT_HEADER: timeout}
    trace = Trace.incoming(timeout=timeout)
    assert trace.ends == math.inf
    if timeout is not None and not timeout.isascii():
        return
    TOLD.clear()
    assert mesh.client("first").get("/hop", headers=headers).status_code == 200
    told = [float(seconds) for _, seconds in TOLD[1:]]
    assert 5 > told[0] > told[1] > told[2] > 4


@pytest.mark.parametrize("timeout", ["0", "0.0", "0.000999"])
def test_who_has_gone_is_not_worked_for(mesh: Mesh, timeout: str) -> None:
    assert_problem(ask(mesh, timeout), 504, "out-of-time")
    assert [name for name, _ in TOLD] == ["first"]


def test_a_call_over_the_network_ends_when_the_caller_does(wire: Any) -> None:
    server = wire.serve(wire.hang)
    client = Client("x", server.url, timeout=30, retries=3)
    began = time.monotonic()
    with bind(Trace.incoming(timeout="0.3")), pytest.raises(UpstreamTimeoutProblem):
        client.get("/x")
    assert 0.25 < time.monotonic() - began < 1.5
    assert 0.2 < float(server.header(TIMEOUT_HEADER)) < 0.3
    client.close()


def test_each_try_is_told_what_is_left_of_the_call(wire: Any) -> None:
    server = wire.serve(wire.reply(503), wire.reply(503), wire.json({}))
    client = Client("x", server.url, timeout=4, retries=2)
    assert client.get("/x") == {}
    told = [float(server.header(TIMEOUT_HEADER, number)) for number in range(3)]
    assert 4 > told[0] > told[1] > told[2] > 3
    client.close()


def test_a_stream_has_as_long_as_the_caller_has(wire: Any) -> None:
    server = wire.serve(
        wire.reply(200, b"x"),
        wire.reply(200, b"x"),
        wire.drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.05),
    )
    client = Client("x", server.url, timeout=2)
    with client.stream("GET", "/x") as answer:
        assert answer.read(10) == b"x"
    assert server.header(TIMEOUT_HEADER) is None
    with bind(Trace.incoming(timeout="60")), client.stream("GET", "/x"):
        assert 59 < float(server.header(TIMEOUT_HEADER)) < 60
    began = time.monotonic()
    with (
        bind(Trace.incoming(timeout="0.4")),
        client.stream("GET", "/x") as answer,
        pytest.raises(UpstreamTimeoutProblem),
    ):
        answer.read(10_000)
    assert time.monotonic() - began < 1.5
    client.close()


def test_a_source_outside_is_not_waited_for_any_longer_either(wire: Any) -> None:
    server = wire.serve(wire.hang)
    client = outside_client(allow=[server.url], timeout=30)
    began = time.monotonic()
    with (
        bind(Trace.incoming(timeout="0.3")),
        pytest.raises(UpstreamTimeoutProblem),
        client.stream(server.url),
    ):
        pass
    assert time.monotonic() - began < 1.5
    assert server.header(TIMEOUT_HEADER) is None
    client.close()


def test_a_call_without_time_never_reaches_the_network(closed_port: int) -> None:
    client = Client("x", f"http://127.0.0.1:{closed_port}")
    with (
        bind(Trace.incoming(timeout="0")),
        pytest.raises(OutOfTimeProblem, match="No time is left"),
    ):
        client.get("/x")
    client.close()


def test_a_header_of_the_request_does_not_give_more_time(wire: Any) -> None:
    server = wire.serve(wire.json({}))
    client = Client("x", server.url, timeout=2)
    client.get("/x", headers={TIMEOUT_HEADER: "999"})
    assert float(server.header(TIMEOUT_HEADER)) < 2
    client.close()
