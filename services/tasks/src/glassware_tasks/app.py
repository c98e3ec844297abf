"""The tasks service, declared."""

from __future__ import annotations

from glassware.service import Service
from glassware_tasks import models, resources

service = Service(
    "tasks",
    package="glassware_tasks",
    summary="What is to be done, by whom, and by when.",
    resources=(resources.TaskList, resources.Task),
    database=models.db,
    siblings={"auth": "http://127.0.0.1:7001"},
)
