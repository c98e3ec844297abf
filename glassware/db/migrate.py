"""Alembic's environment, the same for every service: ``migrations/env.py`` calls ``run``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from alembic import context
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory as Script
from flask import current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, MetaData, NullPool, create_engine

from glassware.problems import UnavailableProblem

#: Seconds to wait for another process that migrates the database.
PATIENCE = 60
#: Seconds to wait for a table: whoever waits for it holds up all that come later.
TABLE_PATIENCE = 10
#: The advisory lock of whoever migrates; locks are each database's own.
LOCK = 0x676C617373


def run() -> None:
    """Run the migrations that ``manage.py db`` asked for, on the app's own database.

    All of them or none, on every database, and one process at a time.
    """
    database = current_app.extensions["migrate"].db
    if context.is_offline_mode():
        configure(database.metadata, url=database.engine.url, literal_binds=True)
    else:
        with alone(owner_engine(database)) as connection:
            configure(database.metadata, connection=connection)


def owner_engine(database: SQLAlchemy) -> Engine:
    """Return the engine of the role that owns the schema, which may not be the serving one."""
    url = current_app.config["MIGRATIONS_URL"]
    return create_engine(url, poolclass=NullPool) if url else database.engine


@contextmanager
def alone(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that no other migration runs beside."""
    lock = sqlite if engine.dialect.name == "sqlite" else postgresql
    with engine.connect() as connection, lock(connection):
        yield connection


@contextmanager
def postgresql(connection: Connection) -> Iterator[None]:
    """Hold the advisory lock; the transaction is Alembic's."""
    connection.exec_driver_sql(f"SET lock_timeout = '{PATIENCE}s'")
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK})")
    connection.exec_driver_sql(f"SET lock_timeout = '{TABLE_PATIENCE}s'")
    connection.commit()
    try:
        yield
    finally:
        connection.invalidate()  # which ends the session, and with it the lock and the settings


@contextmanager
def sqlite(connection: Connection) -> Iterator[None]:
    """Hold the write lock, in one transaction with every statement.

    Foreign keys are off meanwhile: a table is altered by rebuilding it, and dropping the old one
    would delete the rows that refer to it. They are checked at the end.
    """
    driver: Any = connection.connection.driver_connection
    driver.isolation_level = None  # else DDL begins no transaction
    driver.execute(f"PRAGMA busy_timeout={PATIENCE * 1000}")
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise RuntimeError(f"a row of {broken[0]} would refer to none of {broken[2]}")
        connection.commit()
    finally:
        connection.rollback()
        connection.invalidate()  # and with it the settings


def configure(metadata: MetaData, **target: Any) -> None:
    """Run against ``target``; SQLite alters a table by rebuilding it, hence the batch mode."""
    context.configure(
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        process_revision_directives=number,
        **target,
    )
    with context.begin_transaction():
        context.run_migrations()


def number(_context: Any, _revision: Any, directives: list[MigrationScript]) -> None:
    """Number the new migration after the newest one."""
    directives[0].rev_id = f"{int(context.script.get_current_head() or 0) + 1:04}"


class Standing(NamedTuple):
    """The migration that the database is at, and the newest one that the code knows."""

    current: str | None
    newest: str | None

    @property
    def ahead(self) -> bool:
        """Whether a newer version migrated the database, which this one can serve all the same.

        Migrations only add, within a release; they are numbered, so that a database of another
        origin is not taken for a newer one.
        """
        numbers = [re.fullmatch(r"\d{4}", revision or "") for revision in self]
        return all(numbers) and (self.current or "") > (self.newest or "")


def standing(database: SQLAlchemy, directory: str) -> Standing:
    """Return where the database stands. Needs an app context."""
    with database.engine.connect() as connection:
        return standing_at(connection, directory)


def standing_at(connection: Connection, directory: str) -> Standing:
    """Return where the database stands that the connection is to."""
    current = MigrationContext.configure(connection).get_current_revision()
    return Standing(current, Script(directory).get_current_head())


def require_head(database: SQLAlchemy, directory: str) -> None:
    """Raise UnavailableProblem where the database lacks a migration that the code knows."""
    found = standing(database, directory)
    if found.current != found.newest and not found.ahead:
        raise UnavailableProblem(
            f"The schema is at {found.current}, the code at {found.newest}:"
            " run `manage.py db upgrade`."
        )
