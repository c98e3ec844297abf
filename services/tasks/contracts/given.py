"""What is there when a consumer's contract is proved."""

from __future__ import annotations

from uuid import UUID, uuid4

from flask import Flask

from glassware.db import now
from glassware_tasks.models import Task, db


def given(app: Flask, caller: str) -> dict[str, str]:
    """Make a task of the caller."""
    task = uuid4()
    with app.app_context():
        db.session.add(Task(id=task, title="A task", person_id=UUID(caller), due_to=now()))
        db.session.commit()
    return {"task": str(task)}
