"""Work done by several threads at once, whose results come in the order it was given."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

Then = Callable[[Any], None]
Call = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class Workers:
    """The threads that compress, shared by all builds of a process; started when first needed.

    Whoever builds works with them instead of waiting, so there is one less than ``count``. An
    executor gives a call back only by having it cancelled, and takes longer to hand it over.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or len(os.sched_getaffinity(0))
        self._todo: SimpleQueue[Call] = SimpleQueue()
        self._missing, self._lock = self.count - 1, Lock()

    def line(self) -> Line:
        """Return a line for one build."""
        with self._lock:
            while self._missing:
                Thread(target=self._work, name="compress", daemon=True).start()
                self._missing -= 1
        return Line(self, 2 * self.count)

    def give(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have the function called by whoever is free first."""
        result: Future[Any] = Future()
        self._todo.put((result, function, arguments))
        return result

    def help(self) -> bool:
        """Make the call that waits longest, if there is one."""
        try:
            call = self._todo.get_nowait()
        except Empty:
            return False
        _make(*call)
        return True

    def _work(self) -> None:
        while True:
            _make(*self._todo.get())


def _make(result: Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    if result.set_running_or_notify_cancel():
        try:
            result.set_result(function(*arguments))
        except BaseException as error:
            result.set_exception(error)


class Line:
    """The work of one build: begun in any order, ended in the order it was given.

    At most ``length`` pieces wait, so memory is bounded however slow the one that pulls.
    """

    def __init__(self, workers: Workers, length: int) -> None:
        self._workers, self._length = workers, length
        self._waiting: deque[tuple[Future[Any] | Any, Then]] = deque()

    def work(self, then: Then, function: Callable[..., Any], *arguments: Any) -> None:
        """Have the function called by any thread, and ``then`` with its result by this one."""
        if self._workers.count == 1:
            then(function(*arguments))
            return
        self._waiting.append((self._workers.give(function, *arguments), then))
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
                while not value.done() and self._workers.help():
                    pass
                value = value.result()
            waiting.popleft()
            then(value)
