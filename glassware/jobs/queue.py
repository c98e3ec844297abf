"""The queue of a service: the rows of its jobs, and each way that one may change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask_sqlalchemy.session import Session
from sqlalchemy import ColumnElement, Engine, Table, delete, func, select, update
from sqlalchemy.orm import scoped_session
from uuid_utils.compat import uuid7

from glassware.auth import Principal
from glassware.auth.principal import NO_PERSON
from glassware.client import Acting, Delegate
from glassware.config import Config
from glassware.db import now
from glassware.db.seal import Seal, derived
from glassware.jobs.kinds import Kind, Run
from glassware.jobs.model import CANCELLED, RUNNING, WAITING, JobRow
from glassware.observe.context import Trace, current
from glassware.problems import TooManyJobsProblem

UNFINISHED = (WAITING, RUNNING)


@dataclass(frozen=True)
class Jobs:
    """A service's kinds of jobs, and the model of their rows.

    ``sweep`` removes what jobs that are gone have left behind; it is called now and then by every
    worker, with the app at hand.
    """

    model: Any
    kinds: tuple[Kind, ...]
    sweep: Callable[[], None] | None = None


class Queue:
    """The jobs of an app. Each change is one statement, and good only for who holds the job.

    With a ``delegate`` a job has no token of its caller's, who may be gone when it runs.
    """

    def __init__(
        self,
        jobs: Jobs,
        engine: Engine,
        session: scoped_session[Session],
        config: Config,
        delegate: Delegate | None = None,
    ) -> None:
        self.delegate = delegate
        self.jobs, self.engine, self.session, self.config = jobs, engine, session, config
        self.kinds = {kind.name: kind for kind in jobs.kinds}
        self.table: Table = jobs.model.metadata.tables["jobs"]
        self.key = derived(config["app.secret_key"], "jobs")

    def add(self, kind: Kind, who: Principal, arguments: Mapping[str, Any]) -> JobRow:
        """Add a job in the request's transaction. Raises TooManyJobsProblem."""
        self.admit(who)
        trace, id = current(), uuid7()
        told = {
            "arguments": arguments,
            **(self.right(who) if kind.acts(**arguments) else {}),
            "request_id": trace.request_id,
            "traceparent": trace.traceparent,
        }
        sealed = Seal(self.key, str(id)).sealed(json.dumps(told).encode())
        row: JobRow = self.jobs.model(id=id, kind=kind.name, owner=who.subject, sealed=sealed)
        self.session.add(row)
        return row

    def right(self, who: Principal) -> dict[str, str]:
        """Return by what the job acts. Raises ForbiddenProblem where it may not."""
        if self.delegate is None or who.user_id == NO_PERSON:
            return {"token": who.token}
        return {"kept": self.delegate.keep(who.token)}

    def acting(self, told: Mapping[str, str]) -> Acting | str:
        if self.delegate is None or "kept" not in told:
            return told.get("token", "")
        return Acting(self.delegate, told["kept"])

    def admit(self, who: Principal) -> None:
        columns, most = self.table.c, self.config["jobs.per_owner"]
        own = columns.owner == who.subject, columns.state.in_(UNFINISHED)
        if (self.session.scalar(select(func.count()).where(*own)) or 0) >= most:
            raise TooManyJobsProblem(
                f"{most} of your jobs are not finished yet.", headers={"Retry-After": "10"}
            )

    def cancel(self, row: JobRow) -> None:
        """End the job; forget it where it has ended. Its worker loses it at its next beat."""
        columns = self.table.c
        values = {"state": CANCELLED, "fence": columns.fence + 1, **self.ended()}
        unfinished = columns.id == row.id, columns.state.in_(UNFINISHED)
        changed: Any = self.session.execute(self.change(*unfinished, **values))
        if not changed.rowcount:
            self.session.execute(delete(self.table).where(columns.id == row.id))

    def claim(self) -> Run | None:
        """Take the job that has been due for longest, and begin an attempt at it."""
        columns, lease = self.table.c, timedelta(seconds=self.config["jobs.lease"])
        due = (
            select(columns.id)
            .where(columns.state.in_(UNFINISHED), columns.due_at <= now())
            .where(columns.kind.in_(self.kinds))
            .order_by(columns.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        taken = self.change(
            columns.id == due.scalar_subquery(),
            state=RUNNING,
            fence=columns.fence + 1,
            attempts=columns.attempts + 1,
            due_at=now() + lease,
        ).returning(*columns)
        with self.engine.begin() as connection:
            row = connection.execute(taken).first()
        return None if row is None else self.run_of(row)

    def run_of(self, row: Any) -> Run:
        told = json.loads(Seal(self.key, str(row.id)).opened(row.sealed))
        return Run(
            id=row.id,
            fence=row.fence,
            attempt=row.attempts,
            kind=self.kinds[row.kind],
            arguments=told["arguments"],
            owner=row.owner,
            acting=self.acting(told),
            trace=Trace.incoming(told["request_id"], told["traceparent"], self.config.service),
        )

    def renew(self, run: Run) -> bool:
        """Hold the job for another lease, and tell how far it is; False where it is lost."""
        lease = timedelta(seconds=self.config["jobs.lease"])
        return self.write(run, done=run.done, total=run.total, due_at=now() + lease)

    def release(self, run: Run) -> bool:
        """Give the job back, as if this attempt had not been."""
        return self.write(run, state=WAITING, due_at=now(), attempts=run.attempt - 1)

    def retry(self, run: Run, problem: Mapping[str, Any]) -> bool:
        """Have the job tried again: after 1, 2, 4 ... seconds."""
        wait = timedelta(seconds=2 ** (run.attempt - 1))
        return self.write(run, state=WAITING, due_at=now() + wait, problem=problem)

    def settle(
        self, run: Run, state: str, *, result: str | None = None, problem: Any = None
    ) -> bool:
        """End the job; False where it was lost, and this run's work is nobody's."""
        values = {"state": state, "result": result, "problem": problem, **self.ended()}
        return self.write(run, done=run.done, total=run.total, **values)

    def write(self, run: Run, **values: Any) -> bool:
        columns = self.table.c
        mine = columns.id == run.id, columns.fence == run.fence, columns.state == RUNNING
        with self.engine.begin() as connection:
            return connection.execute(self.change(*mine, **values)).rowcount == 1

    def change(self, *which: ColumnElement[bool], **values: Any) -> Any:
        version = self.table.c.version + 1
        return update(self.table).where(*which).values(version=version, updated_at=now(), **values)

    def ended(self) -> dict[str, Any]:
        moment = now()
        return {
            "finished_at": moment,
            "expires_at": moment + timedelta(seconds=self.config["jobs.keep"]),
        }

    def sweep(self) -> None:
        """Forget the jobs that ended long ago, and what they left behind. Needs an app context."""
        with self.engine.begin() as connection:
            connection.execute(delete(self.table).where(self.table.c.expires_at <= now()))
        if self.jobs.sweep is not None:
            self.jobs.sweep()

    def counts(self) -> dict[tuple[str, ...], float]:
        """Return how many jobs there are, by kind and state."""
        columns = self.table.c
        statement = select(columns.kind, columns.state, func.count()).group_by(
            columns.kind, columns.state
        )
        with self.engine.connect() as connection:
            return {(kind, state): number for kind, state, number in connection.execute(statement)}

    def holds(self, id: UUID, fence: int) -> bool:
        """Whether the job is there and has not changed hands since."""
        columns = self.table.c
        statement = select(columns.id).where(columns.id == id, columns.fence == fence)
        with self.engine.connect() as connection:
            return connection.execute(statement).first() is not None
