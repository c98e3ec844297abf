"""The tasks service, declared."""

from __future__ import annotations

from glassware.config import Option
from glassware.service import Service
from glassware_tasks import models, resources

service = Service(
    "tasks",
    package="glassware_tasks",
    summary="What is to be done, by whom, and by when.",
    resources=(
        resources.TaskList,
        resources.Task,
        resources.AttachmentList,
        resources.Attachment,
    ),
    database=models.db,
    siblings={"auth": "http://127.0.0.1:7001"},
    options=(
        Option(
            "tasks.max_attachment",
            int,
            5 * 1024**2,
            "Bytes of one attachment, which is in memory while it comes and goes.",
            minimum=1,
            maximum=1024**3,
        ),
        Option("tasks.attachments_per_task", int, 100, "Attachments of one task.", minimum=0),
    ),
)
