"""What a service's author writes: functions that are jobs, and what one is given while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from glassware.api import runtime
from glassware.auth import Principal
from glassware.client import Acting, Tether
from glassware.observe.context import Trace
from glassware.problems import Problem

#: Returns the path of the resource that it made, if it made one.
Function = Callable[..., str | None]


class LostError(Exception):
    """The job is no longer this run's: it was cancelled, or another worker has taken it."""


class Then(NamedTuple):
    """A job that comes after another; it is given that one's outcome besides, as ``outcome``.

    It acts for nobody: whatever the first one had for that ends with it.
    """

    kind: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of jobs: the function that does one, how often it is tried, whether it ``acts``.

    One that acts calls neighbours as the person who asked for it.
    """

    name: str
    function: Function
    attempts: int
    acts: Callable[..., bool]

    def later(self, who: Principal, *, then: Then | None = None, **arguments: Any) -> Any:
        """Have it done once the request's changes are committed; return the job's row.

        The arguments are plain documents, as JSON has them. ``then`` is a job to be done when this
        one is done or has failed. Raises TooManyJobsProblem.
        """
        return runtime().jobs.add(self, who, arguments, then)

    def shared(self, who: Principal, max_age: float, **arguments: Any) -> Any:
        """The same, or the caller's own job that was asked the same and may stand for this one.

        That is one that waits, or one that began at most ``max_age`` seconds ago and is running or
        kept: what it reads elsewhere is not older than that.
        """
        queue = runtime().jobs
        return queue.twin(self, who, arguments, max_age) or queue.add(self, who, arguments)


def always(**_arguments: Any) -> bool:
    return True


def job(*, attempts: int = 3, acts: Callable[..., bool] = always) -> Callable[[Function], Kind]:
    """Make a job of a function ``f(run, **arguments)``, which returns the path of what it made.

    It may be begun several times, when its worker dies, so it must not matter what an unfinished
    run leaves behind. A problem below 500 that it raises ends the job; anything else is tried
    again, ``attempts`` times in all. ``acts`` tells by the arguments whether it calls neighbours,
    for which it keeps a right to act for its caller.
    """
    return lambda function: Kind(function.__name__.replace("_", "-"), function, attempts, acts)


@dataclass(eq=False)
class Run:
    """One attempt at a job. ``fence`` tells it from every other attempt at the same job."""

    id: UUID
    fence: int
    attempt: int
    kind: Kind
    arguments: Mapping[str, Any]
    owner: str
    acting: Acting | str
    trace: Trace
    then: Then | None = None

    def __post_init__(self) -> None:
        self.lost = threading.Event()
        self.tether = Tether()
        self.done = 0
        self.total: int | None = None
        self.steps: int | None = None
        self.steps_total: int | None = None
        #: What went wrong where the job is done all the same, if not with all of it.
        self.problem: Problem | None = None

    @property
    def token(self) -> str:
        """The token that its calls to neighbours go with. Raises what ``Acting.token`` raises."""
        return self.acting if isinstance(self.acting, str) else self.acting.token()

    def lose(self) -> None:
        """Tell the run that it is lost, and end the calls that it waits for."""
        self.lost.set()
        self.tether.cut()

    def progress(self, done: int, total: int | None = None) -> None:
        """Tell how far it is, and learn whether to go on. Call it often. Raises LostError."""
        self.done, self.total = done, total
        if self.lost.is_set():
            raise LostError

    def told(self) -> dict[str, int | None]:
        """Return what it told of its progress last."""
        names = ("done", "total", "steps", "steps_total")
        return {name: getattr(self, name) for name in names}


_running: ContextVar[Run | None] = ContextVar("glassware_run", default=None)


def running() -> Run | None:
    """Return the run that this thread is at."""
    return _running.get()


@contextmanager
def acting(run: Run) -> Iterator[None]:
    """Be at the run within the block: its calls to neighbours are made for who asked for it."""
    token = _running.set(run)
    try:
        yield
    finally:
        _running.reset(token)
