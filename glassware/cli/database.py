"""``manage.py db``: Flask-Migrate's commands, an ``upgrade`` that an older version may run, a
``check`` that speaks plainly."""

from __future__ import annotations

from copy import copy
from typing import Any

import click
import flask_migrate.cli
from flask import current_app
from flask.cli import with_appcontext

from glassware.db.drift import drift
from glassware.db.migrate import owner_engine, prepare
from glassware.db.standing import Standing, standing

plain = flask_migrate.cli.db.commands["upgrade"]


@click.command(params=plain.params, help=plain.help)
@with_appcontext
def upgrade(**values: Any) -> None:
    """Run the migrations, unless a newer version has been here: so one can go back to an older."""
    before = where()
    if values["revision"] == "head" and before.ahead:
        click.echo(f"The database is at {before.current}, made by a newer version. Nothing to do.")
        return
    assert plain.callback is not None
    plain.callback(**values)
    if not values["sql"]:
        click.echo(f"The database was at {before.current}, and is at {where().current}.")


@click.command()
@with_appcontext
def check() -> None:
    """Compare the database with the models; exit with 1 where they differ."""
    database, found = current_app.extensions["sqlalchemy"], where()
    if found.current != found.newest:
        raise click.ClickException(
            f"The database is at {found.current}, the code at {found.newest}: they can be compared"
            " only where both are at the same migration."
        )
    with owner_engine(database).connect() as connection:
        differences = drift(connection, database.metadata)
    if differences:
        raise click.ClickException("\n  ".join(["The database differs:", *differences]))
    click.echo(f"The database is at {found.current} and as the models are.")


def where() -> Standing:
    return standing(current_app.extensions["sqlalchemy"], current_app.config["MIGRATIONS"])


@with_appcontext
def begin(**values: Any) -> None:
    """Give the app what only migrations need, then begin as Flask-Migrate does."""
    prepare(current_app)
    assert flask_migrate.cli.db.callback is not None
    flask_migrate.cli.db.callback(**values)


db = copy(flask_migrate.cli.db)
db.callback = begin
db.commands = {**db.commands, "upgrade": upgrade, "check": check}
