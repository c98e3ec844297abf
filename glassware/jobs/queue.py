"""The queue of a service: the rows of its jobs, and each way that one may change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flask_sqlalchemy.session import Session
from sqlalchemy import (
    ColumnElement,
    Engine,
    Table,
    delete,
    event,
    false,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.orm import scoped_session
from uuid_utils.compat import uuid7

from glassware.auth import Principal
from glassware.auth.principal import NO_PERSON
from glassware.client import Acting, Delegate
from glassware.config import Config
from glassware.db import now
from glassware.db.seal import Seal, derived
from glassware.jobs.kinds import Kind, Run, Then
from glassware.jobs.model import CANCELLED, DONE, FAILED, RUNNING, WAITING, JobRow
from glassware.observe.context import Trace, current
from glassware.problems import ConflictProblem, TooManyJobsProblem

if TYPE_CHECKING:
    from glassware.jobs.carrier import Carrier

UNFINISHED = (WAITING, RUNNING)
#: The progress of a job that has not made any.
UNBEGUN = {"done": 0, "total": None, "steps": None, "steps_total": None}


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
        carrier: Carrier | None = None,
        delegate: Delegate | None = None,
    ) -> None:
        self.delegate = delegate
        self.jobs, self.engine, self.session, self.config = jobs, engine, session, config
        self.carrier = carrier
        self.kinds = {kind.name: kind for kind in jobs.kinds}
        self.table: Table = jobs.model.metadata.tables["jobs"]
        self.key = derived(config["app.secret_key"], "jobs")

    def add(
        self,
        kind: Kind,
        who: Principal,
        arguments: Mapping[str, Any],
        then: Then | None = None,
    ) -> JobRow:
        """Add a job in the request's transaction. Raises TooManyJobsProblem."""
        self.admit(who)
        id = uuid7()
        row: JobRow = self.jobs.model(
            id=id,
            kind=kind.name,
            owner=who.subject,
            sealed=self.sealed(id, self.right(kind, who, arguments), arguments, then),
            digest=self.digest(kind, who, arguments),
        )
        self.session.add(row)
        self.carry(id)
        return row

    def sealed(
        self,
        id: UUID,
        right: Mapping[str, str],
        arguments: Mapping[str, Any],
        then: Then | None = None,
    ) -> bytes:
        trace = current()
        told = {
            "arguments": arguments,
            "then": then,
            **right,
            "request_id": trace.request_id,
            "traceparent": trace.traceparent,
        }
        return Seal(self.key, str(id)).sealed(json.dumps(told).encode())

    def digest(self, kind: Kind, who: Principal, arguments: Mapping[str, Any]) -> str:
        """Return what is the same for jobs that do the same, for the same caller, as much allowed.

        It is keyed, so that nobody finds out by it what is sealed.
        """
        told = [kind.name, who.subject, sorted(who.scopes), arguments]
        return derived(self.key.hex(), "same", json.dumps(told, sort_keys=True).encode()).hex()

    def carry(self, id: UUID) -> None:
        """Tell the workers of a job when the request's changes are committed."""
        if carrier := self.carrier:
            event.listen(self.session(), "after_commit", lambda _: carrier.send(id), once=True)

    def twin(
        self, kind: Kind, who: Principal, arguments: Mapping[str, Any], max_age: float
    ) -> JobRow | None:
        """Return the job that may stand for one with these arguments, see ``Kind.shared``."""
        model = self.jobs.model
        since = now() - timedelta(seconds=min(max_age, self.config["jobs.keep"] * 2))
        read = model.state.in_((RUNNING, DONE)) & (model.began_at >= since)
        same = select(model).where(
            model.owner == who.subject,
            model.digest == self.digest(kind, who, arguments),
            (model.state == WAITING) | (read if max_age else false()),
            model.expires_at.is_(None) | (model.expires_at > now()),
        )
        found: JobRow | None = self.session.scalar(same.order_by(model.id.desc()).limit(1))
        return found

    def right(self, kind: Kind, who: Principal, arguments: Mapping[str, Any]) -> Mapping[str, str]:
        """Return by what the job acts, if it does. Raises ForbiddenProblem where it may not."""
        if not kind.acts(**arguments):
            return {}
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

    def revive(self, row: JobRow, who: Principal) -> None:
        """Have a job that failed or was cancelled done again, as if it had just been asked for.

        Raises ConflictProblem, TooManyJobsProblem.
        """
        self.admit(who)
        columns, told = self.table.c, self.opened(row)
        right = self.right(self.kinds[row.kind], who, told["arguments"])
        ended = columns.id == row.id, columns.state.in_((FAILED, CANCELLED))
        values = {
            **dict.fromkeys(("problem", "finished_at", "expires_at", "began_at")),
            "sealed": self.sealed(row.id, right, told["arguments"], told.get("then")),
        }
        anew = self.change(*ended, state=WAITING, attempts=0, due_at=now(), **UNBEGUN, **values)
        changed: Any = self.session.execute(anew)
        if not changed.rowcount:
            raise ConflictProblem(f"It is {row.state}: only a failed or cancelled job starts anew.")
        self.session.refresh(row)
        self.carry(row.id)

    def claim(self, id: UUID | None = None) -> Run | None:
        """Take the job, or the one that has been due for longest, and begin an attempt at it."""
        columns, lease = self.table.c, timedelta(seconds=self.config["jobs.lease"])
        due = (
            select(columns.id)
            .where(columns.state.in_(UNFINISHED), columns.due_at <= now())
            .where(columns.kind.in_(self.kinds), true() if id is None else columns.id == id)
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
            began_at=now(),
            **UNBEGUN,
        ).returning(*columns)
        with self.engine.begin() as connection:
            row = connection.execute(taken).first()
        return None if row is None else self.run_of(row)

    def opened(self, row: Any) -> Any:
        return json.loads(Seal(self.key, str(row.id)).opened(row.sealed))

    def run_of(self, row: Any) -> Run:
        told = self.opened(row)
        return Run(
            id=row.id,
            fence=row.fence,
            attempt=row.attempts,
            kind=self.kinds[row.kind],
            arguments=told["arguments"],
            owner=row.owner,
            acting=self.acting(told),
            then=Then(*told["then"]) if told.get("then") else None,
            trace=Trace.incoming(told["request_id"], told["traceparent"], self.config.service),
        )

    def renew(self, run: Run) -> bool:
        """Hold the job for another lease, and tell how far it is; False where it is lost."""
        lease = timedelta(seconds=self.config["jobs.lease"])
        return self.write(run, due_at=now() + lease, **run.told())

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
        """End the job; False where it was lost, and this run's work is nobody's.

        What comes after it is added at once: there is neither without the other.
        """
        outcome = {"state": state, "result": result, "problem": problem}
        ended = self.held(run, {**run.told(), **outcome, **self.ended()})
        with self.engine.begin() as connection:
            if connection.execute(ended).rowcount != 1:
                return False
            after = run.then and self.after(run, run.then, {"id": str(run.id), **outcome})
            if after:
                connection.execute(insert(self.table).values(after))
        if after and self.carrier:
            self.carrier.send(after["id"])
        return True

    def after(self, run: Run, then: Then, outcome: Mapping[str, Any]) -> dict[str, Any]:
        id = uuid7()
        sealed = self.sealed(id, {}, {**then.arguments, "outcome": outcome})
        return {"id": id, "version": 1, "kind": then.kind, "owner": run.owner, "sealed": sealed}

    def write(self, run: Run, **values: Any) -> bool:
        with self.engine.begin() as connection:
            return connection.execute(self.held(run, values)).rowcount == 1

    def held(self, run: Run, values: Mapping[str, Any]) -> Any:
        columns = self.table.c
        mine = columns.id == run.id, columns.fence == run.fence, columns.state == RUNNING
        return self.change(*mine, **values)

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
