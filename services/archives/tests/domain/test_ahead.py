"""Sources fetched ahead: in order, within the bounds, and nothing left when nobody wants them."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import replace

import httpcore2
import httpx2
import pytest

from glassware.client import BlockedAddressProblem, Client, outside_client
from glassware.problems import UpstreamProblem, UpstreamTimeoutProblem
from glassware_archives.domain import Entry, Limits
from glassware_archives.domain.ahead import SHARE, Ahead, Bounds, Fetch, Source
from glassware_archives.domain.sources import Ways, archive, entries

from .origins import Origin, origin, until

KIB, MIB = 1024, 1024 * 1024


@pytest.fixture
def near() -> Iterator[Origin]:
    with origin() as server:
        yield server


def ways(*origins: Origin, **bounds: float) -> Ways:
    outside = outside_client(allow=[each.url for each in origins], timeout=10)
    return Ways(outside, {}, replace(Bounds(), **bounds))


def wishes(server: Origin, *paths: str) -> list[dict[str, str]]:
    return [{"name": f"{n}", "url": server.url + path} for n, path in enumerate(paths)]


def fetchers() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("fetch")]


def contents(stream: Iterator[bytes]) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as opened:
        return {each.name: opened.extractfile(each).read() for each in opened}


def test_many_slow_sources_are_waited_for_together(near: Origin) -> None:
    sizes = [number * 100 for number in range(200)]
    order = wishes(near, *(f"/slow/{size}" for size in sizes))
    found = contents(archive("tar", order, ways(near), Limits()))
    assert list(found) == [str(number) for number in range(200)]
    assert [len(each) for each in found.values()] == sizes
    assert 8 < near.most <= 32
    until(lambda: not fetchers())


def test_inline_content_stays_between_what_is_fetched(near: Origin) -> None:
    order = [*wishes(near, "/slow/5", "/slow/6"), {"name": "text", "text": "x"}]
    order.insert(1, {"name": "bytes", "base64": b"yz"})
    found = contents(archive("tar", order, ways(near), Limits()))
    assert [len(each) for each in found.values()] == [5, 2, 6, 1]


def test_no_origin_is_asked_more_often_than_it_may_be_and_the_others_go_on(near: Origin) -> None:
    with origin() as other:
        order = [*wishes(near, *["/slow/9"] * 40), *wishes(other, *["/slow/9"] * 40)]
        for number, wish in enumerate(order):
            wish["name"] = str(number)
        stream = archive("tar", order, ways(near, other, per_origin=3), Limits())
        assert len(contents(stream)) == 80
        assert near.most <= 3
        assert other.most <= 3


def test_no_more_is_held_than_the_budget(near: Origin) -> None:
    size = 200 * KIB
    most = 8 * SHARE // size + 1
    opened = entries(
        wishes(near, "/gate/5", *[f"/size/{size}"] * 60), ways(near, max_bytes=8 * SHARE)
    )
    first: list[Entry] = []
    builder = threading.Thread(target=lambda: first.append(next(opened)))
    builder.start()
    # Nobody takes the others while the first one is not there.
    until(lambda: len(near.asked) >= most - 2 and near.present == 1)
    time.sleep(0.1)
    assert len(near.asked) <= most
    near.gate.set()
    builder.join()
    assert [sum(map(len, entry.content)) for entry in opened] == [size] * 60


def test_a_large_source_is_not_held_whole_and_keeps_the_others_from_waiting_open(
    near: Origin,
) -> None:
    size = 3 * MIB
    opened = entries(wishes(near, *[f"/size/{size}"] * 12), ways(near))
    for entry in opened:
        assert sum(map(len, entry.content)) == size
        assert near.present <= 4
    assert near.asked == [f"/size/{size}"] * 12


def test_a_large_source_that_waited_long_for_its_turn_is_asked_again(near: Origin) -> None:
    size = 3 * MIB
    opened = entries(wishes(near, f"/size/{size}", f"/size/{size}"), ways(near, patience=0.05))
    first = next(opened)
    assert sum(map(len, first.content)) == size
    until(lambda: len(near.asked) == 2)
    time.sleep(0.1)
    assert sum(map(len, next(opened).content)) == size
    assert len(near.asked) >= 3
    opened.close()


@pytest.mark.parametrize("path", ["/silent/0", f"/silent/{10 * KIB}", f"/silent/{3 * MIB}"])
def test_a_client_that_leaves_ends_every_fetch_at_once(near: Origin, path: str) -> None:
    paths = ["/size/10"] * 10 + [path] * 30
    opened = entries(wishes(near, *paths), ways(near))
    for _ in range(10):
        next(opened)
    until(lambda: near.present > 2)
    began = time.monotonic()
    opened.close()
    until(lambda: near.present == 0 and not fetchers())
    assert time.monotonic() - began < 2


def test_a_source_that_fails_fails_in_its_turn_and_names_the_entry(near: Origin) -> None:
    order = wishes(near, "/slow/5", "/missing", "/slow/7", "/gzip", "/slow/8")
    seen = []
    for entry in entries(order, ways(near)):
        try:
            seen.append(sum(map(len, entry.content)))
        except UpstreamProblem as problem:
            seen.append(problem.extensions["entry"])
    assert seen == [5, "1", 7, "3", 8]


def test_a_single_source_takes_no_thread(near: Origin) -> None:
    (entry,) = entries(wishes(near, "/slow/5"), ways(near))
    assert entry.size is None or not fetchers()
    opened = entries(wishes(near, f"/size/{MIB}"), ways(near))
    assert next(opened).size == MIB
    assert not fetchers()
    opened.close()


def test_a_name_that_leads_inside_when_it_is_asked_again_is_refused(near: Origin) -> None:
    """Rebinding: each connection looks the name up once, and dials only what it has checked."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    dialled = []

    def resolver(host: str, port: int) -> list[str]:
        return next(answers)

    class Dial(httpcore2.NetworkBackend):
        def connect_tcp(self, host: str, *_: object, **__: object) -> httpcore2.NetworkStream:
            dialled.append(host)
            raise httpcore2.ConnectError("nobody")

    outside = outside_client(resolver=resolver, wire=Dial())
    order = [{"name": f"{n}", "url": "http://rebound.test/"} for n in range(2)]
    there = Ways(outside, {}, Bounds(at_once=1))
    kinds = []
    for entry in entries(order, there):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is looked at below
            list(entry.content)
        kinds.append(caught.type)
    assert BlockedAddressProblem in kinds
    assert dialled == ["93.184.216.34"]


def test_a_fetch_is_made_for_whom_the_archive_is_built_for() -> None:
    caller: ContextVar[str] = ContextVar("caller", default="nobody")
    seen = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["Authorization"])
        return httpx2.Response(200, stream=httpx2.ByteStream(b"x"))

    transport = httpx2.MockTransport(answer)
    tasks = Client("tasks", "http://tasks", transport=transport, token=caller.get)
    wish = {"service": "tasks", "path": "/tasks", "accept": "application/json"}
    caller.set("ann")
    there = Ways(outside_client(), {"tasks": tasks})
    assert len(list(entries([{**wish, "name": f"{n}"} for n in range(20)], there))) == 20
    assert seen == ["Bearer ann"] * 20


def test_a_source_that_drips_without_end_is_given_up() -> None:
    def drip() -> Iterator[bytes]:
        while True:
            time.sleep(0.01)
            yield b"x"

    fetches = [Fetch("a", lambda: nullcontext(Source(drip(), None))) for _ in range(2)]
    ahead = Ahead(fetches, Bounds(seconds=0.2))
    with pytest.raises(UpstreamTimeoutProblem):
        ahead.take(fetches[0])
    ahead.close()
    until(lambda: not fetchers())
