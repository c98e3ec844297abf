"""What is there when a consumer's contract is proved."""

from __future__ import annotations

from uuid import UUID, uuid4

from flask import Flask

from glassware.db import now
from glassware_tasks.attachments import keep
from glassware_tasks.models import Attachment, Task, db


def given(app: Flask, caller: str) -> dict[str, str]:
    """Make a task of the caller, with a file."""
    task = uuid4()
    with app.app_context():
        db.session.add(Task(id=task, title="A task", person_id=UUID(caller), due_to=now()))
        db.session.flush()
        attachment = Attachment(task_id=task, name="notes of May.txt")
        keep(attachment, b"Notes.", "text/x-notes")
        db.session.commit()
    return {"task": str(task)}
