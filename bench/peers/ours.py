"""The tasks service, but that making a task asks no neighbour whether the person exists.

None of the peers has a neighbour to ask; whom a task may be given to is checked as they do.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from glassware.auth import Principal
from glassware.cli import Manager
from glassware.service import Service
from glassware_tasks import domain, models, resources


class TaskList(resources.TaskList):
    def create(self, who: Principal, data: dict[str, Any]) -> models.Task:
        if data["person_id"] != who.user_id:
            raise domain.no_person()
        task = models.Task(**data)
        models.db.session.add(task)
        return task


class Bench(Manager):
    def service(self) -> Service:
        return replace(super().service(), resources=(TaskList, resources.Task))


home = Path(__file__).parents[2] / "services/tasks/manage.py"
manager = Bench("glassware_tasks.app:service", home=str(home))

if __name__ == "__main__":
    manager.run()
