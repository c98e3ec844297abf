"""What a request asks of a listing: an order, conditions, a place to go on from, a size.

It narrows a statement with its values, or, for a statement that is kept, with parameters in their
place; both go through the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

from flask_marshmallow import Schema
from sqlalchemy import Select, bindparam

from glassware.api.conditional import digest
from glassware.api.filters import Filter, column_of, conditions, values
from glassware.api.paging import Order, beyond, ordered, read_limit
from glassware.api.schema import made
from glassware.auth import Principal
from glassware.config import Config
from glassware.problems import InvalidParameterProblem

SIZE = "page_size"
#: The parameters of every listing, besides its filters.
COMMON = frozenset({"limit", "cursor", "sort", "fields"})
Name = Callable[[str, Any], Any]


class Listed(Protocol):
    """What a listing is declared to be."""

    schema: type[Schema]
    filters: Mapping[str, Filter]
    sorts: tuple[str, ...]
    sort: str


class Listing:
    """``sort`` is ``-due_to,title``; ``wanted`` are the filters' values by parameter.

    ``after`` are the sort values of the last item of the page before, None at the start.
    Raises InvalidParameterProblem for a sort that ``sorts`` does not allow.
    """

    def __init__(
        self,
        model: Any,
        schema: Schema,
        filters: Mapping[str, Filter],
        wanted: Mapping[str, Any],
        orders: Sequence[Order],
        size: int,
    ) -> None:
        self.model, self.schema, self.filters = model, schema, filters
        self.wanted, self.orders, self.size = wanted, orders, size
        self.after: Sequence[Any] | None = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """What tells statements apart once the values are parameters."""
        steps = tuple((order.column.key, order.descending) for order in self.orders)
        nulls = None if self.after is None else tuple(value is None for value in self.after)
        return steps, tuple(self.wanted), nulls

    def of_values(self, statement: Select[Any]) -> Select[Any]:
        return self._narrowed(statement, lambda _name, value: value)

    def of_parameters(self, statement: Select[Any]) -> Select[Any]:
        """Return the statement for ``parameters``; a null stays itself, as it is another shape."""
        return self._narrowed(
            statement, lambda name, value: None if value is None else bindparam(name)
        )

    @property
    def parameters(self) -> dict[str, Any]:
        wanted = {f"f{index}": value for index, value in enumerate(self.wanted.values())}
        after = {f"c{index}": value for index, value in enumerate(self.after or ())}
        return {**wanted, **after, SIZE: self.size}

    def _narrowed(self, statement: Select[Any], name: Name) -> Select[Any]:
        wanted = {
            parameter: name(f"f{index}", value)
            for index, (parameter, value) in enumerate(self.wanted.items())
        }
        found = conditions(wanted, self.filters, self.schema, self.model)
        statement = statement.where(*found)
        if self.after is not None:
            after = [name(f"c{index}", value) for index, value in enumerate(self.after)]
            statement = beyond(statement, self.orders, after)
        return ordered(statement, self.orders).limit(name(SIZE, self.size))


def asked(listed: Listed, model: Any, args: Mapping[str, str], config: Config) -> Listing:
    """Return what the parameters ask for, one item more than the page shows.

    Raises InvalidParameterProblem.
    """
    size = read_limit(args.get("limit"), config["paging.limit"], config["paging.max_limit"])
    schema = made(listed.schema)
    wanted = values(args, listed.filters, schema)
    steps = orders(args.get("sort", listed.sort), listed.sorts, schema, model)
    return Listing(model, schema, listed.filters, wanted, steps, size + 1)


def binding(path: str, who: Principal, args: Mapping[str, str]) -> str:
    """Return what a cursor is good for: this listing, so sorted and filtered, for this caller."""
    free = {"cursor", "limit", "fields"}
    narrowed = sorted(pair for pair in args.items() if pair[0] not in free)
    return digest(path, who.subject, narrowed)


def following(url: str, args: Mapping[str, str], cursor: str) -> str:
    """Return the URL of the next page."""
    rest = {name: value for name, value in args.items() if name != "cursor"}
    return f"{url}?{urlencode({**rest, 'cursor': cursor})}"


def orders(asked: str, sorts: Sequence[str], schema: Schema, model: Any) -> list[Order]:
    """Return the steps of ``?sort=-due_to,title``; the id breaks ties.

    Raises InvalidParameterProblem.
    """
    names = [name for name in asked.split(",") if name]
    plain = [name.removeprefix("-") for name in names]
    if set(plain) - set(sorts) or len(set(plain)) < len(plain):
        known = ", ".join(sorts) or "none"
        raise InvalidParameterProblem(
            "The listing cannot be sorted so.",
            errors={"sort": [f"Each at most once, downwards with a leading -: {known}."]},
        )
    steps = [
        Order(column_of(model, schema, name.removeprefix("-")), name.startswith("-"))
        for name in names
    ]
    return [*steps, Order(model.id)]
