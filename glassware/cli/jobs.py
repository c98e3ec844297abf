"""``manage.py jobs``: what operators see of a service's jobs, and how they end one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from glassware.cli.commands import Commands
from glassware.problems import NotFoundProblem

jobs = Commands("jobs", "The jobs of all callers: what waits, runs, and failed.")

COLUMNS = "{:36}  {:9}  {:20}  {:>8}  {:20}  {}".format


def queue() -> Any:
    """Return the app's queue. Raises ClickException for a service that has none."""
    from flask import current_app

    here = current_app.extensions["glassware"]
    if here.jobs is None:
        raise click.ClickException(f"The {here.service} service has no jobs.")
    return here.jobs


@jobs.command("list")
def newest(state: str = "", kind: str = "", limit: int = 20) -> str:
    """List jobs, the newest first."""
    from sqlalchemy import select

    from glassware.media.json import plain

    found = queue()
    model = found.jobs.model
    wanted = {name: value for name, value in {"state": state, "kind": kind}.items() if value}
    statement = select(model).filter_by(**wanted).order_by(model.id.desc()).limit(limit)
    lines = [
        COLUMNS(
            str(row.id),
            row.state,
            row.kind,
            row.attempts,
            plain(row.created_at)[:19],
            (row.problem or {}).get("title", ""),
        )
        for row in found.session.scalars(statement)
    ]
    head = COLUMNS("id", "state", "kind", "attempts", "created (UTC)", "problem")
    return "\n".join(line.rstrip() for line in [head, *lines])


@jobs.command
def show(id: UUID) -> str:
    """Print all that may be known of a job: what it is to do stays sealed."""
    from glassware.media.json import dumps

    row = found_by(id)
    names = [name for name in row.__table__.c.keys() if name != "sealed"]  # noqa: SIM118
    return "\n".join(f"{name}: {dumps(getattr(row, name)).decode()}" for name in names)


@jobs.command
def cancel(id: UUID) -> str:
    """End a job; one that has ended is forgotten, with what it made."""
    row, found = found_by(id), queue()
    found.cancel(row)
    found.session.commit()
    return f"{id} is over."


def found_by(id: UUID) -> Any:
    found = queue()
    row = found.session.get(found.jobs.model, id)
    if row is None:
        raise NotFoundProblem(f"There is no job {id}; `jobs list` names those there are.")
    return row
