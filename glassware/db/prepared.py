"""Statements compiled once and run by the driver itself, on connections kept for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter, methodcaller
from typing import Any

from sqlalchemy import ClauseElement, Connection, Dialect, Engine, Uuid
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from glassware.db.types import of_hex

Process = Callable[[Any], Any]
FETCHED = methodcaller("fetchall")


class Prepared:
    """The SQL of a statement for a dialect, and what its parameters need on their way.

    ``columns`` are what turns the driver's values into Python's, None where they are that already.
    Raises ValueError for a statement whose SQL depends on its values.
    """

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        if compiled.post_compile_params:
            raise ValueError("its SQL depends on the values")
        self.sql = compiled.string
        self.by_name = compiled.positiontup is None
        self.defaults = dict(compiled.params)
        steps = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect)
            for bind, name in compiled.bind_names.items()
        }
        self.steps = [(name, steps[name]) for name in compiled.positiontup or steps]

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return the values as the driver takes them, in order or by name."""
        given = {**self.defaults, **values}
        if self.by_name:
            return {name: step(given[name]) if step else given[name] for name, step in self.steps}
        return [step(given[name]) if step else given[name] for name, step in self.steps]


class Kept:
    """Connections in autocommit, as many as there ever were statements at once."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.dialect = engine.dialect
        self.error = engine.dialect.loaded_dbapi.Error
        self.idle: deque[tuple[Connection, Any]] = deque()

    def fetch(self, prepared: Prepared, values: Mapping[str, Any]) -> Sequence[Any]:
        """Return the rows, as the driver gives them, of a statement that only reads.

        Raises SQLAlchemy's DBAPIError. A connection that the server has closed meanwhile is
        replaced once, with all the others.
        """
        try:
            found: Sequence[Any] = self.run(prepared, values, FETCHED)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self.close()
            found = self.run(prepared, values, FETCHED)
        return found

    def change(self, prepared: Prepared, values: Mapping[str, Any]) -> int:
        """Return how many rows a statement wrote. Raises SQLAlchemy's DBAPIError."""
        count: int = self.run(prepared, values, attrgetter("rowcount"))
        return count

    def run(self, prepared: Prepared, values: Mapping[str, Any], take: Process) -> Any:
        given = prepared.parameters(values)
        try:
            pair = self.idle.pop()
        except IndexError:
            pair = self.open()
        connection, driver = pair
        try:
            found = take(driver.execute(prepared.sql, given))
        except BaseException as error:
            lost = isinstance(error, self.error) and self.dialect.is_disconnect(error, driver, None)
            connection.close()
            if not isinstance(error, self.error):
                raise
            raise DBAPIError.instance(
                prepared.sql,
                None,
                error,
                self.error,
                hide_parameters=True,
                connection_invalidated=lost,
                dialect=self.dialect,
            ) from error
        self.idle.append(pair)
        return found

    def open(self) -> tuple[Connection, Any]:
        """Return a connection that the engine's pool does not count, and the driver's own."""
        connection = self.engine.connect()
        connection.detach()
        return connection, connection.connection.dbapi_connection

    def close(self) -> None:
        with suppress(IndexError):
            while True:
                self.idle.pop()[0].close()


def processors(columns: Sequence[Any], dialect: Dialect) -> list[Process | None]:
    """Return, for each column, what makes Python's value of the driver's; None for nothing."""
    return [processor(each.type, dialect) for each in columns]


def processor(kind: TypeEngine[Any], dialect: Dialect) -> Process | None:
    made = kind.dialect_impl(dialect).result_processor(dialect, None)
    # The dialect's own reads a UUID in any form, in three times as long.
    return of_hex if made and type(kind) is Uuid and kind.as_uuid else made
