"""Sources fetched ahead of their turn: many slow ones take hardly longer than one.

A fetch ends when the source has ended or when a share of it is at hand; the rest of a large one is
read when its turn has come, by whoever builds the archive. So no fetching thread ever waits for the
archive, and what is held is at most a share for each fetch.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import NamedTuple

from glassware.client import Tether
from glassware.problems import UpstreamTimeoutProblem

#: Bytes of a source that are read before its turn.
SHARE = 256 * 1024
#: How many connections are open to begin with: until the sources turn out to be small.
FIRST = 4


class Source(NamedTuple):
    """Content, and its size in bytes where that is known before it is read."""

    content: Iterable[bytes]
    size: int | None


@dataclass(frozen=True)
class Bounds:
    """What may be ahead: connections, those to one origin, bytes; and for how many seconds.

    A connection that has waited longer than ``patience`` for its turn is likely to be cut by its
    server, and is made anew. A fetch ends after ``seconds``.
    """

    at_once: int = 32
    per_origin: int = 32
    max_bytes: int = 16 * 1024**2
    patience: float = 10.0
    seconds: float = 600.0


class Fetch:
    """One source on its way. ``open`` may be called twice, and from any thread."""

    def __init__(self, origin: str, open: Callable[[], AbstractContextManager[Source]]) -> None:
        self.origin, self._open = origin, open
        self.future: Future[None] | None = None
        self.settled = False
        self._forget()

    def _forget(self) -> None:
        self.size: int | None = None
        self.held = 0
        self.parked_at: float | None = None
        self._chunks: deque[bytes] = deque()
        self._rest: Iterator[bytes] = iter(())
        self._opened = ExitStack()

    def begin(self, seconds: float) -> None:
        """Open the source, and read it to its end or until more than a share is held."""
        ends = time.monotonic() + seconds
        with ExitStack() as opened:
            source = opened.enter_context(self._open())
            self.size, self._rest = source.size, iter(source.content)
            for chunk in self._rest:
                self._chunks.append(chunk)
                self.held += len(chunk)
                if time.monotonic() > ends:
                    raise late()
                if self.held > SHARE:
                    self._opened, self.parked_at = opened.pop_all(), time.monotonic()
                    return

    def content(self) -> Iterator[bytes]:
        """Yield what is held, and then the rest as it comes."""
        with closing(self):
            while self._chunks:
                yield self._chunks.popleft()
            yield from self._rest

    def close(self) -> None:
        """Leave the source, and forget what is held of it."""
        self._opened.close()
        self._forget()


class Ahead:
    """The fetches of one archive, begun in their order as the bounds allow; close it at the end.

    The number of connections grows with each source that was small and shrinks with each large
    one, so that several large ones do not keep connections open whose turn is far away.
    """

    def __init__(self, fetches: Sequence[Fetch], bounds: Bounds) -> None:
        self._bounds, self._fetches = bounds, fetches
        self._waiting: dict[str, deque[tuple[int, Fetch]]] = {}
        for place, fetch in enumerate(fetches):
            self._waiting.setdefault(fetch.origin, deque()).append((place, fetch))
        self._pool = ThreadPoolExecutor(bounds.at_once, thread_name_prefix="fetch")
        self._tether = Tether()
        self._ended: SimpleQueue[Fetch | None] = SimpleQueue()
        self._open: Counter[str] = Counter()
        self._room, self._bytes = FIRST, 0

    def take(self, fetch: Fetch) -> None:
        """Return when the fetch, whose turn has come, has begun; raise what it raised."""
        if len(self._fetches) == 1:
            fetch.begin(self._bounds.seconds)
            return
        self._fill()
        if fetch.future is None:
            self._submit(fetch)
        while not fetch.settled:
            self._settle()
            self._fill()
        self._bytes -= fetch.held
        parked = fetch.parked_at
        self._open[fetch.origin] -= parked is not None
        if fetch.future is not None:
            fetch.future.result()
        if parked is not None and time.monotonic() - parked > self._bounds.patience:
            fetch.close()
            fetch.begin(self._bounds.seconds)

    def _fill(self) -> None:
        """Begin what the bounds allow."""
        bounds = self._bounds
        while self._open.total() < self._room and self._bytes + SHARE <= bounds.max_bytes:
            nearest = [
                queue[0]
                for origin, queue in self._waiting.items()
                if queue and self._open[origin] < bounds.per_origin
            ]
            if not nearest:
                return
            self._submit(min(nearest, key=itemgetter(0))[1])

    def _submit(self, fetch: Fetch) -> None:
        self._waiting[fetch.origin].popleft()
        self._open[fetch.origin] += 1
        self._bytes += SHARE
        # The fetch acts for whom the archive is built for, and under the same trace.
        fetch.future = self._pool.submit(copy_context().run, self._begin, fetch)
        fetch.future.add_done_callback(lambda _: self._ended.put(fetch))

    def _begin(self, fetch: Fetch) -> None:
        with self._tether.bound():
            fetch.begin(self._bounds.seconds)

    def _settle(self) -> None:
        """Wait for a fetch to end, and count what it leaves."""
        with self._tether.holding(partial(self._ended.put, None)):
            try:
                fetch = self._ended.get(timeout=self._bounds.seconds + self._bounds.patience)
            except Empty:
                raise late() from None
        assert fetch is not None, "the block above has been cut"
        fetch.settled = True
        self._bytes += fetch.held - SHARE
        if fetch.parked_at is None:
            self._open[fetch.origin] -= 1
            self._room = min(self._room + 1, self._bounds.at_once)
        else:
            self._room = max(self._room // 2, FIRST)

    def close(self) -> None:
        """End the fetches that are under way, and leave what waits for its turn."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._tether.cut()
        for fetch in self._fetches:
            if fetch.future is None:
                fetch.close()
            else:
                fetch.future.add_done_callback(partial(ended, fetch))


def ended(fetch: Fetch, _future: Future[None]) -> None:
    fetch.close()


def late() -> UpstreamTimeoutProblem:
    return UpstreamTimeoutProblem("The source did not come to its end in time.")
