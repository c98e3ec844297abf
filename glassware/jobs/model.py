"""The row of a job."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from glassware.db import Instant, Row, now

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
STATES = (WAITING, RUNNING, DONE, FAILED, CANCELLED)


class JobRow(Row):
    """The columns of a job: ``class Job(JobRow, db.Model)`` in a service's models.

    ``owner`` is the subject of who asked for it. A waiting job may be taken from ``due_at`` on; a
    running one belongs to its worker until then, unless the worker renews it. ``fence`` counts the
    changes of hands: whoever holds an older number has lost the job, and can write nothing to it.
    ``done`` and ``total`` are units of the job's own, ``total`` None while it is not known, and
    ``steps`` are those that it goes in, such as files; ``began_at`` is when its last attempt did.
    ``result`` is the path of what it made. ``sealed`` holds what it is to do, with the token of who
    asked, for this service's eyes only; ``digest`` is the same for jobs with the same to do.
    """

    __tablename__ = "jobs"

    kind: Mapped[str] = mapped_column(String(60))
    owner: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(9), default=WAITING)
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int | None] = mapped_column(BigInteger)
    steps: Mapped[int | None]
    steps_total: Mapped[int | None]
    began_at: Mapped[datetime | None] = mapped_column(Instant)
    digest: Mapped[str | None] = mapped_column(String(64))
    result: Mapped[str | None] = mapped_column(String(255))
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    attempts: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(Instant, default=now)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)

    @property
    def rate(self) -> float | None:
        """Units per second of the last attempt, None before it tells of any."""
        return round(self.done / seconds, 3) if self.done and (seconds := self.seconds()) else None

    @property
    def seconds_left(self) -> float | None:
        """How long a running job will take if it goes on as it did, None while nobody knows."""
        share = part(self.done, self.total) or part(self.steps, self.steps_total)
        if self.state != RUNNING or not share:
            return None
        return round(self.seconds() * (1 - share) / share, 1)

    def seconds(self) -> float:
        return (self.updated_at - self.began_at).total_seconds() if self.began_at else 0.0

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Index, ...]:
        return (
            Index("ix_jobs_state_due_at", "state", "due_at"),
            Index("ix_jobs_owner_id", "owner", "id"),
        )


def part(done: int | None, total: int | None) -> float:
    """Return how much is done, from 0 to 1; 0 also where nobody knows."""
    return min(1.0, done / total) if done and total else 0.0
