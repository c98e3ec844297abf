"""The worker: takes jobs and does them, as many at once as it has threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from queue import Empty, Full
from queue import Queue as Inbox
from uuid import UUID

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from glassware.api import runtime
from glassware.client import CutError
from glassware.jobs.kinds import LostError, Run, acting
from glassware.jobs.model import DONE, FAILED
from glassware.jobs.queue import Queue
from glassware.observe import context
from glassware.observe.logging import event
from glassware.problems import Document, InternalProblem, Problem

log = logging.getLogger(__name__)

#: Seconds between two signs of life of a run; a cancelled one goes on for so long at most.
BEAT = 0.5
#: Seconds between two sweeps.
SWEEP = 60.0
INTERNAL = 500


class Worker:
    """Does the jobs of an app until it is told to stop."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.queue: Queue = app.extensions["glassware"].jobs
        self.config = self.queue.config
        self.stopping = threading.Event()
        self.runs: set[Run] = set()
        #: The job of the message that came last, until somebody has time for it.
        self.inbox: Inbox[UUID] = Inbox(1)
        self.next_look = 0.0

    def run(self, patience: float) -> None:
        """Work until ``stopping`` is set; release what is not done ``patience`` seconds later."""
        carrier = self.queue.carrier
        threads = [
            threading.Thread(target=self.serve if carrier else self.loop, name=f"worker-{number}")
            for number in range(self.config["jobs.threads"])
        ]
        for thread in threads:
            thread.start()
        with carrier.received(self.hand) if carrier else nullcontext():
            while not self.stopping.is_set():
                self.guard(self.queue.sweep)
                self.stopping.wait(SWEEP)
        deadline = time.monotonic() + patience
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for run in list(self.runs):
            run.lose()
        for thread in threads:
            thread.join()

    def loop(self) -> None:
        while not self.stopping.is_set():
            if not self.guard(self.step):
                self.stopping.wait(self.config["jobs.poll"])

    def serve(self) -> None:
        for id in self.orders():
            if self.guard(partial(self.step, id)) and id is None:
                self.next_look = 0.0  # where one was left, there may be more

    def orders(self) -> Iterator[UUID | None]:
        """Yield the job of each message, and None whenever it is time to look into the table."""
        poll = self.config["jobs.poll"]
        while not self.stopping.is_set():
            if time.monotonic() >= self.next_look:
                self.next_look = time.monotonic() + poll
                yield None
            with suppress(Empty):
                yield self.inbox.get(timeout=min(poll, BEAT))

    def hand(self, id: UUID) -> None:
        """Have somebody do the job, who may be busy still; who waits meanwhile finds it itself."""
        while not self.stopping.is_set():
            with suppress(Full):
                self.inbox.put(id, timeout=BEAT)
                return

    def guard(self, step: Callable[[], object]) -> bool:
        """Do one step with the app at hand; a database that is away for a while is no end."""
        try:
            with self.app.app_context():
                return bool(step())
        except SQLAlchemyError as error:
            event(log, "worker_waits", level=logging.ERROR, exc_info=error)
            return False

    def step(self, id: UUID | None = None) -> bool:
        """Do the job, or whichever is due; return False where there is none to be done."""
        run = self.queue.claim(id)
        if run is not None:
            self.work(run)
        return run is not None

    def work(self, run: Run) -> None:
        """Make one attempt at a job, and write down how it ended."""
        began = time.monotonic()
        with context.bind(run.trace):
            state = self.attempt(run)
            event(
                log,
                f"job_{state}",
                job=str(run.id),
                kind=run.kind.name,
                attempt=run.attempt,
                seconds=round(time.monotonic() - began, 3),
            )

    def attempt(self, run: Run) -> str:
        if run.attempt > run.kind.attempts:
            return self.fail(run, Problem("Its worker died time and again."))
        self.runs.add(run)
        try:
            with acting(run), self.alive(run), run.tether.bound():
                result = run.kind.function(run, **run.arguments)
        except (LostError, CutError):
            return "released" if self.queue.release(run) else "lost"
        except Problem as problem:
            return self.fail(run, problem)
        except Exception as error:  # whatever it is, the row must tell
            event(log, "job_broke", level=logging.ERROR, exc_info=error)
            return self.fail(run, InternalProblem())
        finally:
            self.runs.discard(run)
        missing = run.problem and told(run.problem, run)
        return "done" if self.queue.settle(run, DONE, result=result, problem=missing) else "lost"

    def fail(self, run: Run, problem: Problem) -> str:
        """Have it tried again where that may help, else end it."""
        document = told(problem, run)
        if problem.status >= INTERNAL and run.attempt < run.kind.attempts:
            return "retried" if self.queue.retry(run, document) else "lost"
        return "failed" if self.queue.settle(run, FAILED, problem=document) else "lost"

    @contextmanager
    def alive(self, run: Run) -> Iterator[None]:
        """Renew the lease for as long as the block takes; tell the run when it is lost."""
        over = threading.Event()

        def beat() -> None:
            ends = time.monotonic() + self.config["jobs.lease"]
            while not over.wait(BEAT):
                try:
                    held = self.queue.renew(run)
                    ends = time.monotonic() + self.config["jobs.lease"]
                except SQLAlchemyError:
                    held = time.monotonic() < ends
                if not held:
                    run.lose()
                    return

        thread = threading.Thread(target=beat, name=f"beat-{run.id}")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def told(problem: Problem, run: Run) -> Document:
    here = runtime()
    return problem.document(
        base=here.config["service.public_url"],
        service=here.service,
        request_id=run.trace.request_id,
        instance=f"/jobs/{run.id}",
    )
