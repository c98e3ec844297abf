"""The rows of the tasks service."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from glassware.db import Database, Instant, Row

db = Database()

TITLE_LENGTH = 100


class Task(Row, db.Model):
    """Something a person has to do; the person is a user of the auth service."""

    __tablename__ = "tasks"
    #: A person's tasks are read in the order of their ids, which is the order of their making.
    __table_args__ = (Index("ix_tasks_person_id_id", "person_id", "id"),)

    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    person_id: Mapped[UUID]
    due_to: Mapped[datetime | None] = mapped_column(Instant)
    done: Mapped[bool] = mapped_column(default=False)
