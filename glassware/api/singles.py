"""Requests that read or write one plain row: without the session's transaction and its bookkeeping.

``select``, ``create`` and ``change`` of a resource are asked as ever, and the session is there for
them. What they leave in it is one row to write, in most requests; that row is then written by one
statement. Where it is anything else, or they asked the database themselves, the session does it.
"""

from __future__ import annotations

from typing import Any, cast

from flask import request
from sqlalchemy import bindparam, inspect

from glassware.api.idempotency import HEADER
from glassware.api.reads import CALLER, StandIn
from glassware.auth import Principal
from glassware.db import Database, single
from glassware.db.prepared import Prepared

CAPACITY = 1_000


class Singles:
    """The statements of an app that read one row, and what is done of such rows."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.finders: dict[Any, tuple[single.Shape, Prepared] | None] = {}

    def find(self, resource: Any, who: Principal, id: Any) -> tuple[Any] | None:
        """Return the item that the resource lets the caller see, or None in its place.

        Returns None where this is not the way to find it.
        """
        session = self.database.session()
        if not single.is_untouched(session):
            return None
        key = type(resource), who.scopes
        if key not in self.finders:
            if len(self.finders) >= CAPACITY:
                self.finders = {}
            self.finders[key] = self.finder(resource, who.scopes)
        found = self.finders[key]
        if found is None:
            return None
        shape, prepared = found
        rows = self.database.kept.fetch(prepared, {CALLER: who.user_id, "id": id})
        return (shape.attached(session, rows[0]) if rows else None,)

    def finder(self, resource: Any, scopes: frozenset[str]) -> tuple[single.Shape, Prepared] | None:
        try:
            statement = resource.select(cast("Principal", StandIn(scopes)))
            model = statement.column_descriptions[0]["entity"]
            shape = self.database.shapes.of(model)
            statement = statement.filter_by(id=bindparam("id"))
            return None if shape is None else (shape, shape.select(statement))
        except Exception:  # whatever a select does of a stand-in, the session is there
            return None

    def stage(self) -> bool:
        """Have the one row that is to be written wait for the commit; False where it is not one.

        The item then has all of its values, and is no longer the session's.
        """
        session = self.database.session()
        if single.PENDING in session.info and single.is_untouched(session):
            return True
        item = None if HEADER in request.headers else single.lone(session)
        shape = None if item is None else self.database.shapes.of(type(item))
        if shape is None or not shape.is_plain:
            return False
        known = inspect(item).persistent
        change = shape.update(item) if known else shape.insert(item)
        session.expunge(item)
        session.info[single.PENDING] = change
        return True

    def commit(self) -> None:
        """Write what waits, and commit what else the session has done."""
        session = self.database.session()
        change = session.info.pop(single.PENDING, None)
        if change is not None:
            single.write(self.database.kept, change)
        if not single.is_idle(session):
            session.commit()
