"""Whether the service is alive, and whether it is ready."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from glassware.observe.context import bind, current
from glassware.observe.logging import event
from glassware.observe.scrub import Scrubber
from glassware.problems import Problem

logger = logging.getLogger(__name__)

Check = Callable[[], None]

OK = "ok"


class Readiness(NamedTuple):
    """The outcome of all checks: the status of each by name is "ok" or a reason."""

    ok: bool
    checks: dict[str, str]


class Checks:
    """The named checks of one service.

    A check returns when all is well and raises otherwise. The reason shown is a Problem's detail;
    of any other exception only its type, as its text may name hosts and accounts: that goes to the
    log. A check has at most one thread, however often readiness is asked for: while it hangs, it is
    reported as failed and not run again.
    """

    def __init__(self, timeout: float = 2.0) -> None:
        self.timeout = timeout
        self._probes: dict[str, _Probe] = {}

    def add(self, name: str, check: Check, timeout: float | None = None) -> None:
        """Add a check that may take ``timeout`` seconds. Raises ValueError if the name is taken."""
        if name in self._probes:
            raise ValueError(f"there already is a check named {name}")
        self._probes[name] = _Probe(name, check, timeout or self.timeout)

    def live(self) -> dict[str, str]:
        """Return that the process answers, which depends on nothing else."""
        return {"status": OK}

    def ready(self) -> Readiness:
        """Run the checks side by side, and wait no longer than the longest timeout."""
        runs = [(probe, probe.start()) for probe in self._probes.values()]
        statuses = {probe.name: probe.status(run) for probe, run in runs}
        return Readiness(all(status == OK for status in statuses.values()), statuses)


class _Run(NamedTuple):
    deadline: float
    outcome: Future[None]


class _Probe:
    """A check and its latest run."""

    def __init__(self, name: str, check: Check, timeout: float) -> None:
        self.name = name
        self.check = check
        self.timeout = timeout
        self.reported = OK
        self._scrubber = Scrubber()
        self._lock = threading.Lock()
        self._run: _Run | None = None

    def start(self) -> _Run:
        """Return the run that is under way, or begin one."""
        with self._lock:
            if self._run is None or self._run.outcome.done():
                self._run = _Run(time.monotonic() + self.timeout, Future())
                trace = current()

                def work(outcome: Future[None] = self._run.outcome) -> None:
                    try:
                        with bind(trace):
                            self.check()
                    except BaseException as error:
                        outcome.set_exception(error)
                    else:
                        outcome.set_result(None)

                # A daemon: a hung check must not keep the process from ending.
                threading.Thread(target=work, name=f"check-{self.name}", daemon=True).start()
            return self._run

    def status(self, run: _Run) -> str:
        """Return the run's outcome as text, or that it did not end in time."""
        try:
            error = run.outcome.exception(max(0.0, run.deadline - time.monotonic()))
        except TimeoutError:
            return self._report(f"no answer within {self.timeout:g} s")
        if error is None:
            return self._report(OK)
        reason = str(error) if isinstance(error, Problem) else f"failed: {type(error).__name__}"
        return self._report(self._scrubber.text(reason), error)

    def _report(self, status: str, error: BaseException | None = None) -> str:
        """Log the status if it is news: readiness is asked for every few seconds."""
        if status != self.reported:
            level = logging.INFO if status == OK else logging.WARNING
            event(
                logger, "check_changed", level=level, exc_info=error, check=self.name, status=status
            )
            self.reported = status
        return status
