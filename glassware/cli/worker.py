"""``manage.py worker``: does the service's jobs."""

from __future__ import annotations

import signal
from typing import Any

import click
from flask import current_app
from flask.cli import ScriptInfo, with_appcontext

from glassware.cli import logs
from glassware.jobs.worker import Worker


@click.command()
@click.option("--once", is_flag=True, help="Do what is due, then stop.")
@with_appcontext
def worker(once: bool) -> None:
    """Do the service's jobs.

    Any number of workers may run, on any number of hosts. SIGTERM lets the jobs in progress go on
    for server.timeout seconds; what is not done then, another worker begins anew.
    """
    here = current_app.extensions["glassware"]
    if here.jobs is None:
        raise click.ClickException(f"The {here.service} service has no jobs.")
    app = click.get_current_context().ensure_object(ScriptInfo).load_app()
    logs.tell(app)
    doing = Worker(app)

    def stop(*_: Any) -> None:
        doing.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if once:
        while not doing.stopping.is_set() and doing.step():
            pass
        return
    doing.run(here.config["server.timeout"])
