"""Alembic's environment, the same for every service: ``migrations/env.py`` calls ``run``."""

from __future__ import annotations

from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory as Script
from flask import current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, MetaData, NullPool, create_engine

from glassware.problems import UnavailableProblem


def run() -> None:
    """Run the migrations that ``manage.py db`` asked for, on the app's own database."""
    database = current_app.extensions["migrate"].db
    if context.is_offline_mode():
        configure(database.metadata, url=database.engine.url, literal_binds=True)
    else:
        with owner_engine(database).connect() as connection:
            configure(database.metadata, connection=connection)


def owner_engine(database: SQLAlchemy) -> Engine:
    """Return the engine of the role that owns the schema, which may not be the serving one."""
    url = current_app.config["MIGRATIONS_URL"]
    return create_engine(url, poolclass=NullPool) if url else database.engine


def configure(metadata: MetaData, **target: Any) -> None:
    """Run against ``target``; SQLite alters a table by rebuilding it, hence the batch mode."""
    context.configure(target_metadata=metadata, render_as_batch=True, compare_type=True, **target)
    with context.begin_transaction():
        context.run_migrations()


def require_head(database: SQLAlchemy, directory: str) -> None:
    """Raise UnavailableProblem unless the database is at the newest migration that the code knows."""
    newest = Script(directory).get_current_head()
    with database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != newest:
        raise UnavailableProblem(
            f"The schema is at {current}, the code at {newest}: run `manage.py db upgrade`."
        )
