"""Work done by several threads at once, whose results come in the order it was given."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

Then = Callable[[Any], None]


class Workers:
    """The threads that compress, shared by all builds of a process; started when first needed.

    With one, whoever builds does the work: a thread beside it would only wait.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or len(os.sched_getaffinity(0))
        self.pool = ThreadPoolExecutor(self.count, "compress") if self.count > 1 else None

    def line(self) -> Line:
        """Return a line for one build."""
        return Line(self.pool, 3 * self.count)


class Line:
    """The work of one build: begun in any order, ended in the order it was given.

    At most ``length`` pieces wait, so memory is bounded however slow the one that pulls.
    """

    def __init__(self, pool: ThreadPoolExecutor | None, length: int) -> None:
        self._pool, self._length = pool, length
        self._waiting: deque[tuple[Future[Any] | Any, Then]] = deque()

    def work(self, then: Then, function: Callable[..., Any], *arguments: Any) -> None:
        """Have the function called by a thread, and ``then`` with its result by this one."""
        if self._pool is None:
            then(function(*arguments))
            return
        self._waiting.append((self._pool.submit(function, *arguments), then))
        self._settle(self._length)

    def put(self, then: Then, value: Any) -> None:
        """Have ``then`` called with the value when its turn has come."""
        if self._waiting:
            self._waiting.append((value, then))
            self._settle(self._length)
        else:
            then(value)

    def finish(self) -> None:
        """Wait for all that was given."""
        self._settle(0)

    def close(self) -> None:
        """Drop what has not begun; what runs ends by itself, and is nobody's."""
        for value, _ in self._waiting:
            if isinstance(value, Future):
                value.cancel()
        self._waiting.clear()

    def _settle(self, allowed: int) -> None:
        waiting = self._waiting
        while waiting:
            value, then = waiting[0]
            if isinstance(value, Future):
                if len(waiting) <= allowed and not value.done():
                    return
                value = value.result()
            waiting.popleft()
            then(value)
