"""Sliding windows: how many requests a caller made lately, in two counters.

The window before the present one counts by the share of it that still lies within reach, as if its
requests had come evenly; so a caller costs two numbers, however much they may ask for.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
LIMIT = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)")

#: Callers that a process counts; beyond that, those counted for the longest time are forgotten.
CAPACITY = 20_000
#: The number of a caller's present window, the requests of the one before it, and its own.
UNSEEN = (0.0, 0, 0)


class Limit(NamedTuple):
    """So many requests in so many seconds."""

    requests: int
    seconds: int

    @classmethod
    def of(cls, text: str) -> Limit:
        """Return the limit written as "600/minute". Raises ValueError."""
        found = LIMIT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no limit; write 600/minute, or per second, hour, day")
        return cls(int(found[1]), UNITS[found[2]])


class Counts(NamedTuple):
    """The requests in the window before and in the present one, and the seconds they still count.

    A window's requests count for the rest of it and the whole of the next one.
    """

    before: int
    before_left: float
    now: int
    now_left: float


class Windows(Protocol):
    """Keeps the counts by caller."""

    def take(self, key: str, limit: Limit) -> tuple[bool, Counts]:
        """Count a request, unless it is one too many; return whether it was, and the counts."""


class StoredWindows:
    """Counts in a storage of ``limits``, which is asked twice."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage

    def take(self, key: str, limit: Limit) -> tuple[bool, Counts]:
        let_in = self.storage.acquire_sliding_window_entry(key, *limit)
        return let_in, Counts(*self.storage.get_sliding_window(key, limit.seconds))


class MemoryWindows:
    """Counts in this process alone.

    The memory storage of ``limits`` starts a thread at nearly every request, which looks at every
    caller: 0.2 ms a request with 5,000 of them, where this takes a few microseconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, capacity: int = CAPACITY
    ) -> None:
        self.clock, self.capacity = clock, capacity
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, int, int]] = {}

    def take(self, key: str, limit: Limit) -> tuple[bool, Counts]:
        most, seconds = limit
        held = self._held
        with self._lock:
            number, into = divmod(self.clock(), seconds)
            last, before, now = held.get(key, UNSEEN)
            if last != number:
                before, now = (now if last == number - 1 else 0), 0
            left = seconds - into
            let_in = math.floor(before * left / seconds) + now < most
            if let_in:
                now += 1
                if len(held) >= self.capacity and key not in held:
                    del held[next(iter(held))]
                held[key] = number, before, now
        return let_in, Counts(before, left, now, left + seconds)


def used(counts: Counts, seconds: int) -> int:
    """Return how many requests count at this moment."""
    return math.floor(counts.before * counts.before_left / seconds) + counts.now


def wait(counts: Counts, limit: Limit) -> float:
    """Return the seconds until one more request is let in, if none comes before it."""
    before, left, now, now_left = counts
    if now >= limit.requests:  # the present window must pass, and then a little of the next
        before, left, now, gone = now, float(limit.seconds), 0, now_left - limit.seconds
    else:
        gone = 0.0
    if before == 0:
        return gone
    return gone + max(0.0, left - (limit.requests - now) * limit.seconds / before)
