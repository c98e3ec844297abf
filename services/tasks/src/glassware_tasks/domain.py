"""What may be done with tasks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from glassware.auth import Principal
from glassware.client import Client
from glassware.problems import InvalidProblem, UpstreamProblem
from glassware_tasks.models import Task, db


def visible_to(who: Principal) -> Select[tuple[Task]]:
    """Return the tasks the caller may see: their own, or all with ``tasks:admin``."""
    if who.may("tasks:admin"):
        return select(Task)
    return select(Task).where(Task.person_id == who.user_id)


def add(who: Principal, people: Client, **data: Any) -> Task:
    """Return a new task for a person who exists."""
    require_person(who, people, data["person_id"])
    task = Task(**data)
    db.session.add(task)
    return task


def change(who: Principal, people: Client, task: Task, **data: Any) -> None:
    """Set every field of the task; a new person must exist."""
    if data["person_id"] != task.person_id:
        require_person(who, people, data["person_id"])
    for name, value in data.items():
        setattr(task, name, value)


def remove(task: Task) -> None:
    db.session.delete(task)


def require_person(who: Principal, people: Client, person_id: UUID) -> None:
    """Raise InvalidProblem unless the caller may give the person tasks and the person exists.

    The auth service answers for both: it shows the caller no person that is none of theirs.
    """
    if not who.may("tasks:admin") and person_id != who.user_id:
        raise no_person()
    try:
        people.get(f"/users/{person_id}")
    except UpstreamProblem as problem:
        if problem.upstream_status == 404:
            raise no_person() from None
        raise


def no_person() -> InvalidProblem:
    message = "There is no such person, or none whom you may give tasks."
    return InvalidProblem("The person is not known.", errors={"person": [message]})
