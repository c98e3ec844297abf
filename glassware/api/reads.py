"""Fast reads: statements built once for each kind of caller, and columns in place of entities.

A listing's statement depends on the caller in two ways only: by what their scopes let them see,
and by whose rows are theirs. So ``select`` is asked once for a set of scopes, with a stand-in whose
``user_id`` is a parameter, and its statement is kept. A ``select`` that wants to know more of the
caller makes the stand-in fail, and is then asked for every request, as it would be without this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from flask import current_app
from flask_marshmallow import Schema
from sqlalchemy import Select, Uuid, bindparam, inspect
from sqlalchemy.exc import ArgumentError

from glassware.api.dumper import Dump, compiled
from glassware.api.runtime import Runtime, database, runtime
from glassware.auth import Principal

Build = Callable[[Principal], Select[Any]]
#: Statements kept by an app; their number is bounded by scopes, sorts and filters in use.
CAPACITY = 2_000
CALLER = "caller_user_id"


class StandIn:
    """A caller of whom only the scopes are known; ``user_id`` is a parameter of the statement."""

    def __init__(self, scopes: frozenset[str]) -> None:
        self.scopes = scopes
        self.user_id: Any = bindparam(CALLER, type_=Uuid())

    def may(self, scope: str) -> bool:
        return scope in self.scopes


class Reading(NamedTuple):
    """A statement of columns, and the function that dumps its rows."""

    statement: Select[Any]
    dump: Dump


def reading(key: Any, who: Principal, schema: Schema, build: Build) -> Reading | None:
    """Return what is kept under the key for callers of these scopes, made at first need.

    None where statement or schema do not lend themselves to it, or ``fast.reads`` is off.
    """
    here = runtime()
    if not here.config["fast.reads"]:
        return None
    kept = here.readings
    key = (key, who.scopes)
    if key not in kept:
        if len(kept) >= CAPACITY:
            kept.clear()
        kept[key] = prepare(StandIn(who.scopes), schema, build, here)
    found: Reading | None = kept[key]
    return found


def prepare(caller: StandIn, schema: Schema, build: Build, runtime: Runtime) -> Reading | None:
    try:
        statement = build(cast("Principal", caller))
    except (AttributeError, TypeError, ArgumentError):
        return None
    model = statement.column_descriptions[0]["entity"]
    names = [attribute.key for attribute in inspect(model).column_attrs]
    dump = compiled(schema, names, runtime, item_paths())
    if dump is None:
        return None
    columns = [getattr(model, name) for name in names]
    return Reading(statement.with_only_columns(*columns), dump)


def item_paths() -> dict[str, str]:
    """Return, for each endpoint whose only variable is an id at the end, the path before it."""
    found = {}
    for rule in current_app.url_map.iter_rules():
        before, variable, after = rule.rule.partition("<uuid:id>")
        if variable and not after and "<" not in before:
            found[rule.endpoint] = before
    return found


def rows(reading: Reading, who: Principal, values: Mapping[str, Any]) -> Sequence[Any]:
    """Return the rows that the caller may see; ``values`` are the statement's other parameters."""
    return database().read(reading.statement, {CALLER: who.user_id, **values})
