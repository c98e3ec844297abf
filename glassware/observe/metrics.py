"""Metrics for Prometheus: what came in, what went out, what is in progress.

Each app has a registry of its own, so two apps in one process do not add up. Under several worker
processes the values live in files below ``PROMETHEUS_MULTIPROC_DIR``, which the server sets before
the first metric is made, and whoever is asked adds them up.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from prometheus_client import Histogram
    from prometheus_client.core import GaugeMetricFamily

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "glassware-metrics-"
#: Seconds after which whoever made a folder has locked it, if anybody has it still.
SETTLED = 60.0
#: The values of a gauge by those of its labels.
Values: TypeAlias = Mapping[tuple[str, ...], float]
T = TypeVar("T")
#: Seconds, from a cached answer to a neighbour's timeout.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Seconds that an answered request waits at most to be counted, with all those of that time.
PAUSE = 0.1


class Metrics:
    """What one app counts. A label never takes a value that a caller could choose.

    Requests are noted as they come, and counted ten times a second: to count each by itself would
    cost more than to answer it. A killed process takes with it what it had only noted.
    """

    def __init__(self) -> None:
        # Imported late: the library reads FOLDER from the environment once, when it is imported.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        own: Any = {"registry": self.registry}
        self.requests = Histogram(
            "http_request_duration_seconds",
            "Requests by method, route and status.",
            ("method", "route", "status"),
            buckets=BUCKETS,
            **own,
        )
        self.in_progress = Gauge(
            "http_requests_in_progress",
            "Requests that are being answered.",
            multiprocess_mode="livesum",
            **own,
        )
        self.sent = Counter(
            "http_response_bytes",
            "Bytes of bodies sent.",
            **own,
        )
        self.calls = Histogram(
            "client_request_duration_seconds",
            "Calls to neighbours by status; 'error' where none came.",
            ("service", "status"),
            buckets=BUCKETS,
            **own,
        )
        self.refused = Counter(
            "client_refused",
            "Calls to neighbours that were not sent, since the neighbour failed time and again.",
            ("service",),
            **own,
        )
        self.broken = Gauge(
            "client_circuit_open",
            "Whether calls to the neighbour are held back.",
            ("service",),
            multiprocess_mode="livemax",
            **own,
        )
        self.limit_failures = Counter(
            "rate_limit_failures",
            "Requests let in uncounted, since the store of the rate limits did not answer.",
            **own,
        )

        self.database_errors = Counter(
            "database_errors",
            "Requests answered by a 503, since the database did not do its part.",
            ("error",),
            **own,
        )
        for error in ("OperationalError", "TimeoutError"):
            self.database_errors.labels(error)  # a rate cannot be told before there is a zero
        self.watched: list[Watched] = []
        # Plain numbers, which the garbage collector does not look at.
        self._begun: deque[None] = deque()
        self._sent: deque[int] = deque()
        self._seconds: dict[tuple[str, str, int], deque[float]] = {}
        self._due = False
        self._counting = threading.Lock()

    def began(self) -> None:
        """Note a request that is in progress from now on."""
        self._begun.append(None)
        if not self._due:
            self._soon()

    def answered(self, method: str, route: str, status: int, seconds: float, sent: int) -> None:
        """Note that a request which was in progress has been answered, with so many bytes."""
        labels = method, route, status
        times = self._seconds.get(labels)
        if times is None:
            times = self._seconds.setdefault(labels, deque())
        times.append(seconds)
        self._sent.append(sent)
        if not self._due:
            self._soon()

    def _soon(self) -> None:
        self._due = True
        # No daemon: a process that ends counts first.
        threading.Timer(PAUSE, self.count).start()

    def count(self) -> None:
        """Count what has been noted."""
        with self._counting:
            self._due = False
            sent = drained(self._sent)
            self.in_progress.inc(len(drained(self._begun)) - len(sent))
            self.sent.inc(sum(sent))
            for labels, times in list(self._seconds.items()):
                if times:
                    observe(self.requests.labels(*labels), drained(times))

    def watch(
        self, name: str, help: str, read: Callable[[], Values], labels: Sequence[str] = ()
    ) -> None:
        """Export what ``read`` returns each time that the metrics are asked for.

        The worker that is asked reads it, so it must not differ from worker to worker by much.
        """
        self.watched.append(Watched(name, help, read, labels))

    def text(self) -> bytes:
        """Return all values in Prometheus's text format, of all workers together."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        self.count()
        asked = CollectorRegistry()
        for each in self.watched:
            asked.register(each)
        if FOLDER not in os.environ:
            return generate_latest(self.registry) + generate_latest(asked)
        MultiProcessCollector(asked)
        return generate_latest(asked)


def drained(notes: deque[T]) -> list[T]:
    """Return what stands there, and leave what comes meanwhile."""
    return [notes.popleft() for _ in range(len(notes))]


def observe(timed: Histogram, times: Sequence[float]) -> None:
    """Count the times as ``timed.observe`` does one by one."""
    timed._sum.inc(sum(times))
    for bucket, number in Counter(bisect_left(BUCKETS, each) for each in times).items():
        timed._buckets[bucket].inc(number)


class Watched:
    """A gauge whose values are read when they are asked for."""

    def __init__(
        self, name: str, help: str, read: Callable[[], Values], labels: Sequence[str]
    ) -> None:
        self.name, self.help, self.read, self.labels = name, help, read, labels

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauge with its present values, as the library asks for it."""
        from prometheus_client.core import GaugeMetricFamily

        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in self.read().items():
            family.add_metric(labels, value)
        yield family


def share(folder: Path | None) -> str:
    """Let the workers that this process will fork share their values; return where.

    Must come before the first ``Metrics``.
    """
    place = Path(folder or gettempdir())
    sweep(place)
    os.environ[FOLDER] = mkdtemp(prefix=PREFIX, dir=place)
    # Until this process has ended, and all that it forked.
    flock(os.open(os.environ[FOLDER], os.O_RDONLY), LOCK_SH)
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(Process())
    return os.environ[FOLDER]


def sweep(place: Path) -> None:
    """Remove what killed processes of ours have left there."""
    for each in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # somebody else's, or removed or locked by another process
            made = each.lstat()
            if made.st_uid != os.geteuid() or time.time() - made.st_mtime < SETTLED:
                continue
            descriptor = os.open(each, os.O_RDONLY)
            try:
                flock(descriptor, LOCK_EX | LOCK_NB)
                shutil.rmtree(each)
            finally:
                os.close(descriptor)


class Process:
    """The number of the present process, which the library wants to know at every count.

    The system is asked once in each process: to ask it costs more than to count.
    """

    def __init__(self) -> None:
        self.look()
        os.register_at_fork(after_in_child=self.look)

    def look(self) -> None:
        self.number = os.getpid()

    def __call__(self) -> int:
        return self.number


def unshare() -> None:
    """Remove what ``share`` made, at the end of the process that called it."""
    shutil.rmtree(os.environ.pop(FOLDER), ignore_errors=True)


def forget(pid: int) -> None:
    """Drop what a dead worker had in progress; what it had counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    if FOLDER in os.environ:
        mark_process_dead(pid)
