"""How the cost of our own grows: deeper pages, longer pages, more callers, more workers, memory."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from bench.world import PEERS, Peer, Running, World, measure, raw

ROWS = int(os.environ.get("ROWS", "1000000"))
LIMITS, CALLERS, WORKERS = (1, 10, 50, 100, 200), (1, 4, 16, 64), (1, 2, 4)
#: Times that memory is looked at, a second of load apart.
LOOKS = 10


def ours(workers: int = 1, cores: str = "0") -> Peer:
    environ = {
        "GLASSWARE_TASKS__SERVER__KIND": "granian",
        "GLASSWARE_TASKS__SERVER__THREADS": "1",
        "GLASSWARE_TASKS__SERVER__WORKERS": str(workers),
        "GLASSWARE_TASKS__PAGING__MAX_LIMIT": "200",
    }
    command = (Path(sys.executable), PEERS / "ours.py", "runserver", "--port", "{port}")
    return Peer(f"ours {workers}", command, frozenset(), environ, cores)


def depths(server: Running, world: World) -> Iterator[tuple[str, float]]:
    """Yield the median milliseconds of a page of 200 in each tenth of all tasks."""
    scope, ends = "tasks:read tasks:admin", int(time.time()) + 36_000
    headers = {"Authorization": f"Bearer {world.issuer.token('reader', scope, exp=ends)}"}
    taken: list[float] = []
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        following: str | None = "/tasks?limit=200"
        while following:
            began = time.perf_counter()
            connection.request("GET", following, headers=headers)
            page = json.loads(connection.getresponse().read())
            taken.append((time.perf_counter() - began) * 1000)
            following = page["next"] and page["next"].partition(f":{server.port}")[2]
    tenth = max(1, len(taken) // 10)
    for number in range(0, len(taken), tenth):
        part = taken[number : number + tenth]
        yield f"page {number + len(part):>6,} of {len(taken):,}", statistics.median(part)


def load(world: World, server: Running, kind: str, query: str = "", clients: int = 8) -> str:
    """Return a second of load as a row."""
    path = world.folder / "curve.requests"
    requests = world.requests(kind, server.peer)
    if query:
        who = world.people[0]
        headers = {"Authorization": f"Bearer {world.tokens[who]}"}
        requests = [raw("GET", f"/tasks?{query}", headers)]
    path.write_bytes(b"".join(each + b"\0" for each in requests))
    found = measure(server, path, str(clients))
    return f"{found['rate']:8.0f} req/s {found['cpu']:8.0f} CPU us {found['p99']:8.2f} ms p99"


def show(row: object, value: object) -> None:
    sys.stdout.write(f"  {row!s:28} {value}\n")
    sys.stdout.flush()


def main(folder: Path) -> None:
    """Print every curve."""
    world = World(folder, ROWS)
    for workers in WORKERS:
        server = world.start(ours(workers, "0" if workers == 1 else "0,1"))
        try:
            server.wait()
            if workers == 1:
                alone(server, world)
            show(f"{workers} workers, 16 callers", load(world, server, "one", clients=16))
            show("", f"{server.memory():.0f} MiB in all")
        finally:
            server.stop()
    world.web.shutdown()


def alone(server: Running, world: World) -> None:
    """Print what one worker on a core of its own does."""
    for row, milliseconds in depths(server, world):
        show(row, f"{milliseconds:.2f} ms")
    for limit in LIMITS:
        show(f"a page of {limit}", load(world, server, "page", f"limit={limit}"))
    for callers in CALLERS:
        show(f"GET one, {callers} callers", load(world, server, "one", clients=callers))
    for look in range(LOOKS):
        load(world, server, "one")
        show(f"memory after {look + 1} s more", f"{server.memory():.0f} MiB")
