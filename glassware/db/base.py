"""What every model and every connection has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from flask import Flask, current_app
from flask.globals import app_ctx
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, MetaData, event, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from uuid_utils.compat import uuid7

from glassware.db.once import answers_table, nonces_table
from glassware.db.prepared import Kept, Prepared
from glassware.db.sessions import Sessions
from glassware.db.single import Shape, Shapes
from glassware.db.types import Instant, now

#: Named constraints can be altered by a migration on every database.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

#: WAL lets readers and one writer work side by side; NORMAL syncs at checkpoints, which with WAL
#: risks the last moments on a power cut but never consistency. A checkpoint every 16 MiB in place
#: of 4 halves what an insert takes where a sync is slow.
SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "wal_autocheckpoint=4000",
)

#: An error of the database is logged, and its parameters may be somebody's secrets.
ENGINE_OPTIONS = {"hide_parameters": True, "pool_timeout": 5.0}


#: Where an app keeps the connections for single statements.
KEPT = "glassware.kept"
#: And what it knows of its models.
SHAPES = "glassware.shapes"
T = TypeVar("T")
#: The app and its context themselves, of which the proxies are asked often.
app: Callable[[], Flask] = cast("Any", current_app)._get_current_object
scope: Callable[[], object] = cast("Any", app_ctx)._get_current_object


def made_at(context: Any) -> datetime:
    """Return the moment that a new row says it was made at."""
    return context.get_current_parameters().get("created_at") or now()


class Row:
    """The columns of every item: a time-ordered id, a version that counts changes, two times.

    The times are one until something of the item has changed.
    A concurrent change of the same version makes the flush raise ``StaleDataError``.
    """

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Instant, default=now)
    updated_at: Mapped[datetime] = mapped_column(Instant, default=made_at, onupdate=now)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.version}


class Database(SQLAlchemy):
    """A service's database: its models derive from ``db.Model``, its work goes by ``db.session``.

    One instance per service, made at import; it holds metadata only. The engine belongs to the
    app, so two apps in one process never share a connection. ``engine_options`` are those of
    SQLAlchemy; ``pool_timeout`` is how many seconds a request waits for a free connection.
    """

    def __init__(self, **engine_options: Any) -> None:
        base = type("Base", (DeclarativeBase,), {"metadata": MetaData(naming_convention=NAMING)})
        super().__init__(
            model_class=base,
            session_options={"expire_on_commit": False, "scopefunc": scope},
            engine_options={**ENGINE_OPTIONS, **engine_options},
        )
        self.session: Sessions = Sessions(self.session)
        self.answers = answers_table(self.metadata)
        self.nonces = nonces_table(self.metadata)

    def init_app(self, app: Flask) -> None:
        super().init_app(app)
        with app.app_context():
            if self.engine.dialect.name == "sqlite":
                event.listen(self.engine, "connect", set_up)
            app.extensions[KEPT] = Kept(self.engine)
            app.extensions[SHAPES] = Shapes(self.engine.dialect)

    @property
    def kept(self) -> Kept:
        """The present app's connections for single statements, apart from the session's."""
        found: Kept = app().extensions[KEPT]
        return found

    @property
    def shapes(self) -> Shapes:
        found: Shapes = app().extensions[SHAPES]
        return found

    def find(self, model: type[T], **values: Any) -> T | None:
        """Return the first item of the model that has these values; it is the session's."""
        shape = self.shapes.of(model)
        found = None if shape is None else self.read(shape, shape.finding(tuple(values)), values)
        if found is None:
            return self.session.scalar(select(model).filter_by(**values))
        item: T | None = next(iter(found), None)
        return item

    def read(
        self, shape: Shape, prepared: Prepared, values: Mapping[str, Any]
    ) -> tuple[Any, ...] | None:
        """Return the first item that the statement finds, or none, as a tuple.

        Returns None where a session has been at work: it may know better.
        """
        waiting = self.session.waiting()
        if waiting.made or waiting.touched():
            return None
        for row in self.kept.fetch(prepared, values):
            item = shape.item(row, waiting.known)
            waiting.known.append(item)
            return (item,)
        return ()

    def close(self) -> None:
        """Close the idle connections of the present app."""
        self.kept.close()
        self.engine.dispose()

    def ping(self) -> None:
        """Raise unless the database answers. Needs an app context."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def dispose(self) -> None:
        """Close the pooled connections, as a forked worker must before it uses the database."""
        engine: Engine = self.engine
        engine.dispose(close=False)


def engine_options(url: str, threads: int) -> dict[str, Any]:
    """Return the engine's options for a process of so many threads: a connection for each.

    Nothing waits for ever: not for the server to take a connection, nor (``ENGINE_OPTIONS``) for a
    connection of the pool.
    """
    if not url.startswith("postgresql"):
        return {}
    return {
        "pool_size": threads,
        "max_overflow": 2,
        "connect_args": {"connect_timeout": 5, "application_name": "glassware"},
    }


def set_up(connection: Any, _record: Any) -> None:
    """Set up a new SQLite connection; its own ``lower`` knows ASCII only."""
    for pragma in SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("lower", 1, lower, deterministic=True)


def lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
