"""The tasks service over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select

from glassware.api import Collection, Item, contains, exact, range_, sibling
from glassware.auth import Principal, scope
from glassware_tasks import domain, models
from glassware_tasks.schemas import TaskSchema

POLICY = {
    "GET": scope("tasks:read"),
    "POST": scope("tasks:write"),
    "PUT": scope("tasks:write"),
    "PATCH": scope("tasks:write"),
    "DELETE": scope("tasks:write"),
}


class TaskList(Collection):
    """The tasks that the caller may see: their own, or everybody's with ``tasks:admin``."""

    path = "/tasks"
    schema = TaskSchema
    policy = POLICY
    filters = {"title": contains, "person": exact, "done": exact, "due_to": range_}
    sorts = ("due_to", "title", "created_at", "updated_at")

    def select(self, who: Principal) -> Select[Any]:
        return domain.visible_to(who)

    def create(self, who: Principal, data: dict[str, Any]) -> models.Task:
        return domain.add(who, sibling("auth"), **data)


class Task(Item):
    """One task."""

    path = "/tasks/<uuid:id>"
    schema = TaskSchema
    policy = POLICY

    def select(self, who: Principal) -> Select[Any]:
        return domain.visible_to(who)

    def change(self, who: Principal, task: models.Task, data: dict[str, Any]) -> None:
        domain.change(who, sibling("auth"), task, **data)

    def remove(self, who: Principal, task: models.Task) -> None:
        domain.remove(task)
