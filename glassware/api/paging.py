"""Pages by cursor: as fast deep in a listing as at its start, and right while it changes.

A cursor holds the sort values of the last item, signed, and bound to the listing, its filters, its
order and its reader: anybody else's is refused. Nulls come last in either direction.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from json import loads
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, or_, type_coerce

from glassware.api.filters import Column
from glassware.db.seal import derived
from glassware.media import json
from glassware.problems import InvalidCursorProblem, InvalidParameterProblem


@dataclass(frozen=True)
class Order:
    """One step of a sort: a column of the model, upwards or downwards."""

    column: Column
    descending: bool = False

    def clauses(self) -> list[ColumnElement[Any]]:
        direction = self.column.desc() if self.descending else self.column.asc()
        return [is_null(self.column), direction] if nullable(self.column) else [direction]

    def after(self, value: Any) -> list[tuple[ColumnElement[bool], ColumnElement[bool]]]:
        """Return (equal, beyond) for each clause, so that null counts as the greatest."""
        pairs = []
        if nullable(self.column):
            flag = int(value is None)
            pairs.append((is_null(self.column) == flag, is_null(self.column) > flag))
        if value is not None:
            # As a parameter: SQLAlchemy has no "greater than" for a bare True or False.
            mark = type_coerce(value, self.column.type)
            beyond = self.column < mark if self.descending else self.column > mark
            pairs.append((self.column == mark, beyond))
        return pairs


def nullable(column: Column) -> bool:
    return bool(column.property.columns[0].nullable)


def is_null(column: Column) -> ColumnElement[int]:
    return case((column.is_(None), 1), else_=0)


def ordered(statement: Select[Any], orders: Sequence[Order]) -> Select[Any]:
    return statement.order_by(*(clause for order in orders for clause in order.clauses()))


def beyond(statement: Select[Any], orders: Sequence[Order], values: Sequence[Any]) -> Select[Any]:
    """Restrict to what comes after the item with these sort values."""
    pairs = [
        pair for order, value in zip(orders, values, strict=True) for pair in order.after(value)
    ]
    steps = []
    for index, (_, further) in enumerate(pairs):
        steps.append(and_(*(equal for equal, _ in pairs[:index]), further))
    return statement.where(or_(*steps))


class Cursors:
    """Signs and reads cursors; ``binding`` names the listing they belong to."""

    def __init__(self, secret: str, binding: str) -> None:
        self.secret, self.purpose = secret, f"cursor:{binding}"

    def write(self, item: Any, orders: Sequence[Order]) -> str:
        return self.signed([plain(getattr(item, order.column.key)) for order in orders])

    def signed(self, values: Sequence[Any]) -> str:
        text = urlsafe_b64encode(json.dumps(values)).rstrip(b"=")
        return f"{text.decode()}.{self.mark(text)}"

    def mark(self, text: bytes) -> str:
        return derived(self.secret, self.purpose, text)[:16].hex()

    def read(self, cursor: str, orders: Sequence[Order]) -> list[Any]:
        """Return the sort values. Raises InvalidCursorProblem for a cursor of elsewhere."""
        text, _, mark = cursor.encode().partition(b".")
        if not compare_digest(self.mark(text).encode(), mark):
            raise InvalidCursorProblem("The cursor is not one of this listing.")
        values = loads(urlsafe_b64decode(text + b"=" * (-len(text) % 4)))
        return [typed(value, order.column) for value, order in zip(values, orders, strict=True)]


def plain(value: Any) -> Any:
    return json.plain(value) if isinstance(value, datetime | UUID) else value


def typed(value: Any, column: Column) -> Any:
    kind = column.type.python_type
    if value is None or isinstance(value, kind):
        return value
    return datetime.fromisoformat(value) if kind is datetime else kind(value)


def read_limit(text: str | None, default: int, largest: int) -> int:
    """Return the size of a page. Raises InvalidParameterProblem."""
    if text is None:
        return default
    if text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= largest:
        return int(text)
    raise InvalidParameterProblem(
        "The size of the page is not possible.", errors={"limit": [f"From 1 to {largest}."]}
    )
