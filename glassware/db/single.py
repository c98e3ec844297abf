"""One row read or written by one statement, where that is all that a request does.

What is read here waits for the session that the service's code may ask for, and what that code then
adds or changes is looked for among what waits. Whatever is more than one plain row is left to the
session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import NoneType
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ClauseElement, Dialect, Select, bindparam, inspect
from sqlalchemy.orm import InstanceState
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.exc import StaleDataError

from glassware.db.prepared import Kept, Prepared, processors

MAPPER_EVENTS = tuple(
    f"{when}_{what}" for when in ("before", "after") for what in ("insert", "update", "delete")
)
VERSION, OLD = "version", "old_"
#: What most values are, and what holds the others.
LITERALS = frozenset({NoneType, bool, int, str, datetime, UUID, InstanceState})


class Context(NamedTuple):
    """What a default may ask of the statement that it is for, as it asks SQLAlchemy's own."""

    current_parameters: dict[str, Any]

    def get_current_parameters(self, isolate_multiinsert_params: bool = True) -> dict[str, Any]:
        return self.current_parameters


class Change(NamedTuple):
    """A statement that writes a row, and its values."""

    prepared: Prepared
    values: Mapping[str, Any]


class Shape:
    """A model of one table, whose attributes are its columns.

    ``is_plain`` says that its rows can be written here, too: they hide nothing that must be done.
    """

    def __init__(self, model: type[Any], dialect: Dialect) -> None:
        self.mapper, self.dialect = inspect(model), dialect
        self.table: Any = self.mapper.local_table
        if not is_simple(self.mapper):
            raise LookupError(f"{model.__name__} is more than a table")
        self.is_plain = is_plain(self.mapper)
        self.keys = [each.key for each in self.mapper.column_attrs]
        self.primary = [each.key for each in self.mapper.primary_key]
        self.steps = processors(self.table.columns, dialect)
        self.defaults = [(each.key, makes(each.default)) for each in self.table.columns]
        self.turns = [
            (each.key, makes(each.onupdate)) for each in self.table.columns if each.onupdate
        ]
        self.updates: dict[frozenset[str], Prepared] = {}
        self.finds: dict[tuple[str, ...], Prepared] = {}
        self.inserts = Prepared(self.table.insert().inline(), dialect)
        if self.is_plain:
            self.deletes = Prepared(self.table.delete().where(*self.same()), dialect)

    def select(self, statement: Select[Any]) -> Prepared:
        """Return the statement of all columns in place of the entities of this one."""
        return Prepared(statement.with_only_columns(*self.table.columns), self.dialect)

    def item(self, row: Sequence[Any], known: Sequence[Any] = ()) -> Any:
        """Return an item of a row as the driver gives it, or the known one that it is."""
        values = {
            key: step(value) if step else value
            for key, step, value in zip(self.keys, self.steps, row, strict=True)
        }
        identity = self.mapper.identity_key_from_primary_key([values[key] for key in self.primary])
        for each in known:
            if instance_state(each).key == identity:
                return each
        item: Any = self.mapper.class_manager.new_instance()
        vars(item).update(values)
        # As make_transient_to_detached() does for an item of which less is known.
        instance_state(item).key = identity
        return item

    def finding(self, keys: tuple[str, ...]) -> Prepared:
        """Return the statement of the rows that have certain values in these columns."""
        if keys not in self.finds:
            same = [self.table.c[key] == bindparam(key) for key in keys]
            self.finds[keys] = Prepared(self.table.select().where(*same), self.dialect)
        return self.finds[keys]

    def insert(self, item: Any) -> Change:
        """Give the item all of its values; return what writes them."""
        given, context = vars(item), Context(vars(item))
        for key, default in self.defaults:
            if key not in given:
                given[key] = 1 if key == VERSION else default(context)
        return Change(self.inserts, {key: given[key] for key in self.keys})

    def update(self, item: Any) -> Change | None:
        """Give the changed item its next version; return what writes it, None for no change."""
        given, before = vars(item), instance_state(item).committed_state
        changed = {key: given[key] for key, old in before.items() if old != given[key]}
        if not changed:
            return None
        for key, default in self.turns:
            if key not in changed:
                changed[key] = default(Context(changed))
        old = {f"{OLD}id": given["id"], f"{OLD}{VERSION}": given[VERSION]}
        changed[VERSION] = given[VERSION] + 1
        given.update(changed)
        return Change(self.updating(frozenset(changed)), {**changed, **old})

    def delete(self, item: Any) -> Change:
        """Return what deletes the item, if it is still the one that was read."""
        old = {f"{OLD}id": vars(item)["id"], f"{OLD}{VERSION}": vars(item)[VERSION]}
        return Change(self.deletes, old)

    def updating(self, keys: frozenset[str]) -> Prepared:
        """Return the statement that writes these columns of the row, if it is still the one."""
        if keys not in self.updates:
            values: dict[str, Any] = {key: bindparam(key) for key in sorted(keys)}
            self.updates[keys] = Prepared(
                self.table.update().where(*self.same()).values(values), self.dialect
            )
        return self.updates[keys]

    def same(self) -> list[Any]:
        """Return the conditions that a row is still the one that was read."""
        return [self.table.c[name] == bindparam(f"{OLD}{name}") for name in ("id", VERSION)]


class Shapes:
    """The models of an app, as far as they have a shape."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.known: dict[type[Any], Shape | None] = {}

    def of(self, model: type[Any]) -> Shape | None:
        if model not in self.known:
            try:
                self.known[model] = Shape(model, self.dialect)
            except LookupError:
                self.known[model] = None
        return self.known[model]


def makes(default: Any) -> Callable[[Any], Any]:
    """Return what makes the value of a column that is given none; it takes a ``Context``."""
    if default is not None and default.is_callable:
        make: Callable[[Any], Any] = default.arg
        return make
    value = getattr(default, "arg", None)
    return lambda _context: value


def is_simple(mapper: Any) -> bool:
    columns = [each.key for each in mapper.local_table.columns]
    return (
        mapper.tables == [mapper.local_table]
        and not mapper.relationships
        and mapper.polymorphic_on is None
        and [each.key for each in mapper.column_attrs] == columns
        and not any(each.deferred for each in mapper.column_attrs)
        and not list(mapper.class_manager.dispatch.load)
    )


def is_plain(mapper: Any) -> bool:
    return (
        [each.key for each in mapper.primary_key] == ["id"]
        and mapper.version_id_col is not None
        and mapper.version_id_col.key == VERSION
        and not any(list(getattr(mapper.dispatch, name)) for name in MAPPER_EVENTS)
        and all(map(is_known, mapper.local_table.columns))
    )


def is_known(column: Any) -> bool:
    """Whether the column's value is known before the database has seen it."""
    servers = (column.server_default, column.server_onupdate, column.computed, column.identity)
    if column.type.should_evaluate_none:
        return False  # a null may be one of two
    known = all(
        each is None or each.is_callable or each.is_scalar
        for each in (column.default, column.onupdate)
    )
    counted = column.primary_key and column.default is None
    return known and not counted and all(each is None for each in servers)


def is_literal(item: Any) -> bool:
    """Whether no value of the item is an expression, which the database works out."""
    values = vars(item).values()
    if LITERALS.issuperset(map(type, values)):
        return True
    return not any(isinstance(each, ClauseElement) for each in values)


def write(kept: Kept, change: Change) -> None:
    """Write the row. Raises as a session does: IntegrityError and its like, StaleDataError."""
    if kept.change(change.prepared, change.values) != 1:
        raise StaleDataError("the row is no longer the one that was read")
