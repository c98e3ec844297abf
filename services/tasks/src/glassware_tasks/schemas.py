"""What a task looks like on the wire."""

from __future__ import annotations

from marshmallow import fields
from marshmallow.validate import Length

from glassware.api import Instant, Link, Relation, Schema
from glassware_tasks.models import TITLE_LENGTH


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
