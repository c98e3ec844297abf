"""The tasks service over HTTP."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy import Select

from glassware.api import Collection, Item, Resource, contains, exact, range_, runtime, sibling
from glassware.api.conditional import require_tag
from glassware.api.files import download, upload
from glassware.api.parse import ANY
from glassware.api.runtime import link
from glassware.auth import Principal, scope
from glassware.problems import ConditionRequiredProblem, ConflictProblem, StaleProblem
from glassware_tasks import attachments, domain, models
from glassware_tasks.schemas import AttachmentSchema, TaskSchema

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


class AttachmentList(Collection):
    """The attachments of a task, for whoever may see the task."""

    path = "/tasks/<uuid:id>/attachments"
    schema = AttachmentSchema
    policy = POLICY
    sorts = ("name", "size", "created_at", "updated_at")

    def select(self, who: Principal, id: UUID) -> Select[Any]:
        return attachments.of_task(who, id)


class Attachment(Resource):
    """A file that is attached to a task, under its own name."""

    path = "/tasks/<uuid:id>/attachments/<name>"
    policy = POLICY
    upload = "tasks.max_attachment"
    answers = AttachmentSchema
    makes = (ANY,)
    statuses = {"GET": (200, 206, 304, 416), "PUT": (200, 201)}
    problems = (
        ConditionRequiredProblem,
        StaleProblem,
        ConflictProblem,
        attachments.TooManyAttachmentsProblem,
    )

    def get(self, who: Principal, id: UUID, name: str) -> Response:
        """Return the file, or the range of it that is asked for (RFC 9110 section 14)."""
        among = attachments.whole(attachments.of_task(who, id))
        found = attachments.require(among, name)
        content = BytesIO(found.content)
        return download(content, found.size, found.sha256, found.content_type, found.name)

    def put(self, who: Principal, id: UUID, name: str) -> Any:
        """Attach the body, as it is, in the place of what the task has by this name.

        Only what is there needs ``If-Match``.
        """
        attachments.check_name(name)
        # Read before anything is locked: it comes as slowly as the caller sends it.
        content, content_type = upload()
        former = attachments.named(attachments.of_task(who, id, to_change=True), name)
        require_tag(former and former.sha256)
        attachment = former or models.Attachment(task_id=id, name=name)
        kept = attachments.keep(attachment, content, content_type)
        headers = {"ETag": f'"{kept.sha256}"'}
        if former is not None:
            return kept, 200, headers
        attachments.check_count(id, runtime().config["tasks.attachments_per_task"])
        return kept, 201, {**headers, "Location": link("attachment", id=id, name=name)}

    def delete(self, who: Principal, id: UUID, name: str) -> None:
        """Remove the file."""
        found = attachments.require(attachments.of_task(who, id, to_change=True), name)
        require_tag(found.sha256)
        attachments.remove(found)
