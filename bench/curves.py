"""How the cost of our own grows: deeper pages, longer pages, more callers, more workers, memory."""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from bench.curve import Curve, found
from bench.report import Found
from bench.world import CLIENTS, PEERS, ROUNDS, Peer, Running, World, in_turn, measure, raw

ROWS = int(os.environ.get("ROWS", "1000000"))
REQUESTS = int(os.environ.get("REQUESTS", "1000000"))
LIMITS, CALLERS, WORKERS = (1, 10, 50, 100, 200), (1, 2, 4, 8, 16, 32, 64), (1, 2, 4)
#: At how many depths, the first page and the last one included.
DEPTHS = 11
#: How many requests of each kind there are in a hundred, where memory is looked at.
MIX = {"one": 60, "page": 10, "put": 20, "post": 5, "401": 5}
#: Times that memory is looked at.
LOOKS = 20
#: How many times the lowest before it a cost may be: processor time, elapsed time, memory.
DEARER, LATER, LARGER = 1.25, 1.5, 1.03
LOAD = ("CPU us", "requests/s", "p99 ms")


@dataclass(frozen=True)
class Point:
    """A load: so many clients that send the requests of a file to a server."""

    server: Running
    requests: Path
    clients: int = int(CLIENTS)

    def measure(self) -> dict[str, float]:
        return measure(self.server, self.requests, str(self.clients))


def main(folder: Path) -> Found:
    """Measure every curve."""
    world = World(folder, ROWS)
    servers: list[Running] = []
    try:
        for workers in WORKERS:
            servers.append(world.start(ours(workers)))
            servers[-1].wait()
        alone = servers[0]
        curves = [deep(world, alone), long(world, alone), crowded(world, alone)]
        curves += [shared(world, servers), lasting(world, alone)]
    finally:
        for each in servers:
            each.stop()
        world.close()
    return found(curves)


def ours(workers: int, kind: str = "granian") -> Peer:
    """Return the tasks service on core 0, or, where it has more than one worker, on all."""
    environ = {
        "GLASSWARE_TASKS__SERVER__KIND": kind,
        "GLASSWARE_TASKS__SERVER__THREADS": "1" if kind == "granian" else "4",
        "GLASSWARE_TASKS__SERVER__WORKERS": str(workers),
        "GLASSWARE_TASKS__PAGING__MAX_LIMIT": "200",
    }
    command = (Path(sys.executable), PEERS / "ours.py", "runserver", "--port", "{port}")
    cores = "0" if workers == 1 else f"0-{(os.cpu_count() or 1) - 1}"
    return Peer(f"{kind} {workers}", command, frozenset(), environ, cores)


def medians(points: Mapping[str, Point]) -> dict[str, tuple[float, float, float]]:
    """Return processor time, rate and p99 of each point, by rounds that go there and back."""
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in points}
    for number in range(ROUNDS):
        for name in in_turn(list(points), number):
            seen[name].append(points[name].measure())
            if seen[name][-1]["failed"] or seen[name][-1]["broken"]:
                raise SystemExit(f"{name} failed: {seen[name][-1]}")
    return {
        name: tuple(statistics.median(one[key] for one in each) for key in ("cpu", "rate", "p99"))
        for name, each in seen.items()
    }


def written(world: World, name: str, requests: Sequence[bytes]) -> Path:
    path = world.folder / f"{name.replace(' ', '-')}.requests"
    path.write_bytes(b"".join(each + b"\0" for each in requests))
    return path


def pages(server: Running, headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the address of each page of 200 of all the tasks; every task must be there, once."""
    seen, following = 0, "/tasks?limit=200"
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        while following:
            yield following
            connection.request("GET", following, headers=headers)
            page = json.loads(connection.getresponse().read())
            seen += len(page["items"])
            following = (page["next"] or "").partition(f":{server.port}")[2]
    if seen != ROWS:
        raise SystemExit(f"The pages have {seen} tasks, not {ROWS}.")


def deep(world: World, server: Running) -> Curve:
    scope, ends = "tasks:read tasks:admin", int(time.time()) + 36_000
    headers = {"Authorization": f"Bearer {world.issuer.token('reader', scope, exp=ends)}"}
    every = list(pages(server, headers))
    points = {}
    for part in range(DEPTHS):
        number = (len(every) - 1) * part // (DEPTHS - 1)
        request = raw("GET", every[number], headers)
        points[f"{number * 200:,}"] = Point(server, written(world, f"deep {part}", [request]))
    rows = medians(points)
    return Curve(
        f"pages of 200, from row .. of {ROWS:,}",
        LOAD,
        rows,
        "a page beside one that is less deep, by CPU",
        [cpu for cpu, *_ in rows.values()],
        DEARER,
    )


def long(world: World, server: Running) -> Curve:
    headers = {"Authorization": f"Bearer {world.tokens[world.people[0]]}"}
    points = {
        str(limit): Point(
            server,
            written(world, f"long {limit}", [raw("GET", f"/tasks?limit={limit}", headers)]),
        )
        for limit in LIMITS
    }
    rows = medians(points)
    return Curve(
        "items on a page",
        LOAD,
        rows,
        "an item beside one of a shorter page, by CPU",
        [cpu / limit for limit, (cpu, *_) in zip(LIMITS, rows.values(), strict=True)],
        DEARER,
    )


def crowded(world: World, server: Running) -> Curve:
    path = written(world, "crowded", world.requests("one", server.peer))
    rows = medians({str(callers): Point(server, path, callers) for callers in CALLERS})
    return Curve(
        "callers at once, GET one",
        LOAD,
        rows,
        "the time for a request beside that with fewer callers",
        [1 / rate for _, rate, _ in rows.values()],
        LATER,
        drawn=1,
    )


def shared(world: World, servers: Sequence[Running]) -> Curve:
    path = written(world, "shared", world.requests("one", servers[0].peer))
    points = {
        str(workers): Point(server, path, 16)
        for workers, server in zip(WORKERS, servers, strict=True)
    }
    rows = {
        name: (*row, points[name].server.memory() / int(name))
        for name, row in medians(points).items()
    }
    return Curve(
        "workers, GET one, 16 callers",
        (*LOAD, "MiB a worker"),
        rows,
        "a request beside that with fewer workers, by CPU",
        [cpu for cpu, *_ in rows.values()],
        DEARER,
        drawn=1,
    )


def mixed(world: World, server: Running) -> Path:
    """Write requests of all kinds, ten times the MIX of them, in no order."""
    requests = [
        request
        for kind, count in MIX.items()
        for request in world.requests(kind, server.peer, count * 10)
    ]
    random.Random(6).shuffle(requests)
    return written(world, "mixed", requests)


def held(server: Running) -> float:
    """Return the MiB that the largest of its workers holds."""
    found = server.resident()
    return max(found[pid] for pid in found if pid != server.process.pid)


def lasting(world: World, server: Running) -> Curve:
    """Look at the memory of a worker from time to time, until it has had all its requests."""
    path = mixed(world, server)
    rows = {"0": (held(server), server.memory(), 0.0)}
    done, step = 0, REQUESTS // LOOKS
    while done < REQUESTS:
        began, before = time.monotonic(), done
        while done < before + step:
            done += int(measure(server, path)["requests"])
        rate = (done - before) / (time.monotonic() - began)
        rows[f"{done:,}"] = (held(server), server.memory(), rate)
    resident = [row[0] for row in rows.values()]
    return Curve(
        "requests of a worker, of all kinds",
        ("RSS MiB", "PSS MiB", "requests/s"),
        rows,
        "resident memory in the second half",
        resident[len(resident) // 2 :],
        LARGER,
    )
