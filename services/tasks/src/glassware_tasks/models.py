"""The rows of the tasks service."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from glassware.db import Database, Instant, Row

db = Database()

TITLE_LENGTH = 100
#: Bytes of the name of an attachment, which is what a name of a file may have.
NAME_LENGTH = 255


class Task(Row, db.Model):
    """Something a person has to do; the person is a user of the auth service."""

    __tablename__ = "tasks"
    #: A person's tasks are read in the order of their ids, which is the order of their making.
    __table_args__ = (Index("ix_tasks_person_id_id", "person_id", "id"),)

    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    person_id: Mapped[UUID]
    due_to: Mapped[datetime | None] = mapped_column(Instant)
    done: Mapped[bool] = mapped_column(default=False)


class Attachment(Row, db.Model):
    """A file that belongs to a task, and goes with it; a list of them reads no content."""

    __tablename__ = "attachments"
    __table_args__ = (UniqueConstraint("task_id", "name"),)

    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    content_type: Mapped[str] = mapped_column(String(255))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
