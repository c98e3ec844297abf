"""Alembic's environment, the same for every service: ``migrations/env.py`` calls ``run``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from alembic.operations import MigrationScript
from flask import Flask, current_app
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, MetaData, NullPool, create_engine

#: Seconds to wait for another process that migrates the database.
PATIENCE = 60
#: Seconds to wait for a table: whoever waits for it holds up all that come later.
TABLE_PATIENCE = 10
#: The advisory lock of whoever migrates; locks are each database's own.
LOCK = 0x676C617373


def prepare(app: Flask) -> None:
    """Let Flask-Migrate's commands work on the app's database; serving needs none of it."""
    Migrate(app, app.extensions["sqlalchemy"], app.config["MIGRATIONS"])


def run() -> None:
    """Run the migrations that ``manage.py db`` asked for, on the app's own database.

    All of them or none, on every database, and one process at a time.
    """
    database = current_app.extensions["sqlalchemy"]
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
