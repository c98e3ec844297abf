"""Many slow sources in one archive: fetched ahead of their turn, and one after the other.

    python -m bench.sources

prints seconds and the peak of memory, medians of five runs of each, taken in turns; so does
``make bench PART=archives`` at its end. "bare sockets" is as many threads that read the same from
the same server without looking at it: what is left to it is the client's own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

from glassware.client import outside_client
from glassware_archives.domain import Entry, Limits, build, ensure_environment
from glassware_archives.domain.ahead import Bounds
from glassware_archives.domain.sources import Ways, archive

SOURCES, SIZE, LATENCY, RUNS = 500, 64 * 1024, 0.020, 5
GOAL = 15
HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\nConnection: close\r\n\r\n".encode()
ANSWER = HEAD + bytes(SIZE)


def serve(told: Connection) -> None:
    """Answer every request after the latency; tell the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(LATENCY)
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=256)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def one_after_the_other(url: str, ways: Ways) -> Iterator[bytes]:
    def entries() -> Iterator[Entry]:
        for number in range(SOURCES):
            with ways.outside.stream(url) as answer:
                yield Entry(f"{number}", answer, answer.length)

    return build("tar", entries(), Limits())


def ahead(url: str, ways: Ways) -> Iterator[bytes]:
    wishes = [{"name": f"{number}", "url": url} for number in range(SOURCES)]
    return archive("tar", wishes, ways, Limits())


def bare_sockets(url: str, ways: Ways) -> Iterator[bytes]:
    """Yield what threads read that know no HTTP."""
    place = urlsplit(url)

    def read(_number: int) -> bytes:
        with socket.create_connection((place.hostname, place.port), timeout=10) as wire:
            wire.sendall(b"GET / HTTP/1.1\r\nHost: there\r\n\r\n")
            return b"".join(iter(partial(wire.recv, SIZE), b""))

    with ThreadPoolExecutor(ways.bounds.at_once) as pool:
        yield from pool.map(read, range(SOURCES))


def seconds(make: Callable[[str, Ways], Iterator[bytes]], url: str, ways: Ways) -> float:
    began = time.perf_counter()
    size = sum(map(len, make(url, ways)))
    assert size > SOURCES * SIZE
    return time.perf_counter() - began


def measure(runs: int = RUNS) -> dict[str, float]:
    """Return the median seconds of both ways, how many times faster, and the peak of memory."""
    ensure_environment()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=[theirs], daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}/"
    ways = Ways(outside_client(allow=[url]), {}, Bounds())
    taken: dict[Callable[..., Iterator[bytes]], list[float]] = {
        each: [] for each in (ahead, one_after_the_other, bare_sockets)
    }
    for _ in range(runs):
        for make, times in taken.items():
            times.append(seconds(make, url, ways))
    server.terminate()
    fast, slow, bare = (statistics.median(times) for times in taken.values())
    # Not rusage's, which begins at that of whoever started this process.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    names = ("ahead", "one after the other", "bare sockets", "times", "MiB")
    return dict(zip(names, (fast, slow, bare, slow / fast, peak), strict=True))


def table(found: Mapping[str, float]) -> str:
    """Return what was measured, to read, beside the goal."""
    lines = [f"{SOURCES} sources of {SIZE // 1024} KiB at {LATENCY * 1000:.0f} ms: seconds"]
    for name, value in found.items():
        lines.append(f"  {name:24} {value:8.2f}{f'; to be {GOAL}' if name == 'times' else ''}")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(table(measure()))
