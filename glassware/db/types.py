"""Column types whose values mean the same on every database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, SafeUUID

from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator


def now() -> datetime:
    """Return the present moment, aware and in UTC."""
    return datetime.now(UTC)


class Instant(TypeDecorator[datetime]):
    """A moment in UTC: aware going in and aware coming out.

    SQLite keeps no zone, so the zone is taken off after conversion and put back on the way out.
    The dialect's own conversions would come to the same, in several times as long.
    Raises ValueError for a naive datetime.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """Return what makes of a moment what the driver takes: for SQLite a text."""
        return as_text if dialect.name == "sqlite" else in_utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Return what makes a moment of what the driver gives."""
        return of_text if dialect.name == "sqlite" else in_utc


def in_utc(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError("a naive datetime cannot be stored; give it a time zone")
    return moment.astimezone(UTC)


def as_text(moment: datetime | None) -> str | None:
    moment = in_utc(moment)
    return None if moment is None else moment.isoformat(" ", "microseconds")[:26]


def of_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


def of_hex(digits: str | None) -> UUID | None:
    """Return the UUID of 32 digits that were one's own, without a look for any other form."""
    if digits is None:
        return None
    made = object.__new__(UUID)
    object.__setattr__(made, "int", int(digits, 16))
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made
