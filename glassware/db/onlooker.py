"""Looking at a database without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine, make_url

#: Seconds for a connection, and for a statement.
PATIENCE = 5


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite database, None for any other."""
    parsed = make_url(url)
    named = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return Path(parsed.database or "") if named else None


@contextmanager
def look(url: str) -> Iterator[Connection]:
    """Yield a connection to a database that is there already, which waits for nothing long.

    Raises SQLAlchemy's DBAPIError.
    """
    path = sqlite_file(url)
    given: dict[str, Any] = {"timeout": PATIENCE}
    if path is not None:
        url = f"sqlite:///file:{quote(str(path))}?mode=rw&uri=true"
    elif url.startswith("postgresql"):
        given = {"connect_timeout": PATIENCE, "application_name": "glassware doctor"}
    engine = create_engine(
        url, poolclass=NullPool, connect_args=given, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        yield connection
