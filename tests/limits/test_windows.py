"""What is counted, by an account that keeps every request, and in a real Redis."""

from __future__ import annotations

import math
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.limits.rate import storage
from glassware.limits.windows import Limit, MemoryWindows, used, wait
from tests.servers import Redis

SECONDS = 10
STEPS = st.lists(st.floats(0, 25, allow_nan=False).map(lambda step: round(step, 3)), max_size=40)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Ledger:
    """Keeps the moment of each request let in, and counts anew every time."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def used(self, now: float) -> int:
        begin = now // SECONDS * SECONDS
        before = sum(begin - SECONDS <= moment < begin for moment in self.moments)
        since = sum(begin <= moment for moment in self.moments)
        return math.floor(before * (begin + SECONDS - now) / SECONDS) + since


@settings(max_examples=500)
@given(steps=STEPS, limit=st.integers(1, 8))
def test_it_counts_as_a_ledger_of_all_requests_does(steps: list[float], limit: int) -> None:
    clock, ledger = Clock(), Ledger()
    windows = MemoryWindows(clock)
    for step in steps:
        clock.now += step
        let_in, counts = windows.take("a", Limit(limit, SECONDS))
        assert let_in == (ledger.used(clock.now) < limit)
        if let_in:
            ledger.moments.append(clock.now)
        assert used(counts, SECONDS) == ledger.used(clock.now) <= limit


@settings(max_examples=500)
@given(steps=STEPS, limit=st.integers(1, 8))
def test_who_waits_as_told_is_let_in_and_not_much_sooner(steps: list[float], limit: int) -> None:
    clock = Clock()
    windows, bound = MemoryWindows(clock), Limit(limit, SECONDS)
    for step in steps:
        clock.now += step
        let_in, counts = windows.take("a", bound)
        if let_in:
            continue
        told = wait(counts, bound)
        began = clock.now
        clock.now = began + max(0.0, told - 0.001)
        assert told < 0.001 or not windows.take("a", bound)[0]
        clock.now = began + told + 0.001
        assert windows.take("a", bound)[0]


def test_callers_and_limits_do_not_count_for_each_other() -> None:
    windows = MemoryWindows(Clock())
    assert [windows.take(who, Limit(1, 1))[0] for who in "abab"] == [True, True, False, False]


class Yielding(str):
    """A key that lets another thread run whenever it is looked up."""

    def __hash__(self) -> int:
        time.sleep(0)
        return super().__hash__()


def test_of_many_threads_as_many_are_let_in_as_the_limit_says() -> None:
    windows, let_in = MemoryWindows(Clock()), []

    def ask() -> None:
        for _ in range(50):
            if windows.take(Yielding("a"), Limit(100, 60))[0]:
                let_in.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_in) == 100


def test_however_many_callers_there_are_the_memory_is_bounded() -> None:
    windows = MemoryWindows(Clock(), capacity=100)
    for number in range(1_000):
        assert windows.take(str(number), Limit(1, 60))[0]
    assert len(windows._held) == 100
    assert not windows.take("999", Limit(1, 60))[0]
    assert windows.take("0", Limit(1, 60))[0]


def test_a_redis_lets_in_as_many_and_whoever_waits_as_told(redis: Redis) -> None:
    shared, limit = storage(redis.url), Limit(4, 1)
    assert shared is not None
    asked = [shared.take("wait", limit) for _ in range(6)]
    assert [let_in for let_in, _ in asked] == [True] * 4 + [False] * 2
    told = wait(asked[-1][1], limit)
    assert 0.5 < told <= 1
    time.sleep(told - 0.2)
    assert not shared.take("wait", limit)[0]
    time.sleep(0.22)
    let_in, counts = shared.take("wait", limit)
    assert let_in
    assert used(counts, 1) == 4


@pytest.mark.parametrize(
    "text", ["", "10", "0/minute", "-1/hour", "1/week", "1/minutes", "1 / day"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no limit"):
        Limit.of(text)


def test_a_limit_reads_as_it_is_written() -> None:
    assert Limit.of("600/minute") == (600, 60)
    assert [Limit.of(f"1/{unit}").seconds for unit in ("second", "hour", "day")] == [1, 3600, 86400]
