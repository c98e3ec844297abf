"""``manage.py clean``: delete what is over, in a service that nobody calls, too."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from glassware.db.once import sweep_out


@click.command()
@with_appcontext
def clean() -> None:
    """Delete what has expired: sessions, kept answers, nonces, jobs and their files.

    A service does so itself when something new of the kind is written, and a worker every minute.
    This is for what nothing new follows: run it once a day.
    """
    here = current_app.extensions["glassware"]
    found = {}
    if here.database is not None:
        found = sweep_out(here.database.engine, here.database.metadata)
    if here.jobs is not None:
        here.jobs.sweep()
    for name, count in found.items():
        click.echo(f"{name}: {count} deleted")
