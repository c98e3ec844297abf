"""Columns read as the text that an answer shows, without an object for each value in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect, Uuid, type_coerce
from sqlalchemy.types import TypeEngine

from glassware.db.types import Instant
from glassware.media.json import plain

Process = Callable[[Any], Any]


class UuidText(TypeEngine[str]):
    """The text of a UUID, which SQLite keeps without its hyphens."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, _coltype: object) -> Process:
        return nullable(hyphened if dialect.name == "sqlite" else str)


class InstantText(TypeEngine[str]):
    """The text of a moment (RFC 3339) in UTC, which SQLite keeps with a space and without ``Z``."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, _coltype: object) -> Process:
        return nullable(zoned if dialect.name == "sqlite" else plain)


def as_text(column: Any) -> Any:
    """Return the column as one of text, where it holds UUIDs or moments; else itself."""
    kinds: dict[type[Any], TypeEngine[str]] = {Uuid: UuidText(), Instant: InstantText()}
    kind = kinds.get(type(column.type))
    return column if kind is None else type_coerce(column, kind).label(column.key)


def nullable(process: Callable[[Any], str]) -> Process:
    return lambda value: None if value is None else process(value)


def hyphened(text: str) -> str:
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def zoned(text: str) -> str:
    return f"{text[:10]}T{text[11:].removesuffix('.000000')}Z"
