"""Work that several threads do comes out in the order it was given, whoever did it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware_archives.domain.workers import Line, Workers

WORKERS = [Workers(count) for count in (1, 2, 5)]


def doubled(number: int) -> int:
    if number < 0:
        raise ArithmeticError(number)
    return 2 * number


def fill(line: Line, take: Callable[[int], None], numbers: list[int]) -> str | None:
    """Give odd numbers as they are, others to be worked on; return how that failed."""
    try:
        for number in numbers:
            if number % 2 and number > 0:
                line.put(take, number)
            else:
                line.work(take, doubled, number)
        line.finish()
    except ArithmeticError as error:
        return str(error)
    return None


@given(st.lists(st.integers(-2, 100), max_size=40))
@settings(max_examples=100, deadline=None)
def test_results_come_in_order_up_to_the_first_failure(numbers: list[int]) -> None:
    told = set()
    for workers in WORKERS:
        taken: list[int] = []
        with closing(workers.line()) as line:
            failure = fill(line, taken.append, numbers)
        told.add((tuple(taken), failure))
    assert len(told) == 1


def test_who_would_wait_for_a_busy_thread_works_alone_and_keeps_to_its_own_failures() -> None:
    workers, busy, go = Workers(2), threading.Event(), threading.Event()

    def block() -> None:
        busy.set()
        go.wait(30)

    taken: list[int] = []
    with closing(workers.line()) as other, closing(workers.line()) as line:
        other.work(taken.append, block)
        assert busy.wait(30)
        other.work(taken.append, doubled, -1)
        assert fill(line, taken.append, [0, 2, 4, 6, 8, 10]) is None
        assert taken == [0, 4, 8, 12, 16, 20]
        go.set()
        with pytest.raises(ArithmeticError, match="-1"):
            other.finish()


def test_what_has_not_begun_when_a_line_is_closed_is_never_done() -> None:
    workers, busy, go = Workers(2), threading.Event(), threading.Event()
    done: list[int] = []

    def block() -> None:
        busy.set()
        go.wait(30)

    line, after = workers.line(), workers.line()
    line.work(done.append, block)
    assert busy.wait(30)
    line.work(done.append, done.append, 1)
    line.close()
    go.set()
    after.work(done.append, doubled, 2)
    after.finish()
    assert done == [4]
