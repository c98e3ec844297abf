"""What a task looks like on the wire."""

from __future__ import annotations

from marshmallow import fields
from marshmallow.validate import Length

from glassware.api import Instant, Link, Relation, Schema
from glassware_tasks.models import TITLE_LENGTH

#: The SHA-256 of nothing.
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class TaskSchema(Schema):
    """A task, hyperlinked; a PUT resets what it leaves out."""

    url = Link("task")
    title = fields.String(
        required=True,
        validate=Length(min=1, max=TITLE_LENGTH),
        metadata={"examples": ["Write the minutes"]},
    )
    person = Relation("auth", "/users/", attribute="person_id", required=True)
    due_to = Instant(allow_none=True, load_default=None)
    done = fields.Boolean(load_default=False)
    created_at = Instant(dump_only=True)
    updated_at = Instant(dump_only=True)


class AttachmentSchema(Schema):
    """A file of a task; its content is at its URL."""

    url = Link("attachment", "task_id", name="name")
    name = fields.String(dump_only=True, metadata={"examples": ["minutes.pdf"]})
    content_type = fields.String(dump_only=True, metadata={"examples": ["application/pdf"]})
    size = fields.Integer(dump_only=True)
    sha256 = fields.String(dump_only=True, metadata={"examples": [EMPTY]})
    created_at = Instant(dump_only=True)
    updated_at = Instant(dump_only=True)
