"""Where a database stands in the row of the migrations. Alembic is not needed to look."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, inspect, text

from glassware.problems import UnavailableProblem


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
    current = None
    if inspect(connection).has_table("alembic_version"):
        current = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return Standing(current, newest(directory))


def newest(directory: str) -> str | None:
    """Return the number of the last migration in the folder."""
    files = Path(directory, "versions").glob("[0-9]*.py")
    return max((file.stem.partition("_")[0] for file in files), default=None)


def require_head(database: SQLAlchemy, directory: str) -> None:
    """Raise UnavailableProblem where the database lacks a migration that the code knows."""
    found = standing(database, directory)
    if found.current != found.newest and not found.ahead:
        raise UnavailableProblem(
            f"The schema is at {found.current}, the code at {found.newest}:"
            " run `manage.py db upgrade`."
        )
