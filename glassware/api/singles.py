"""Requests that read or write one plain row: without the session's transaction and its bookkeeping.

``select``, ``create`` and ``change`` of a resource are asked as ever, and the session is there for
them. What they leave to it is one row to write, in most requests; that row is then written by one
statement. Where it is anything else, or they asked the database themselves, the session does it.
"""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import bindparam

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
        key = type(resource), who.scopes
        if key not in self.finders:
            if len(self.finders) >= CAPACITY:
                self.finders = {}
            self.finders[key] = self.finder(resource, who.scopes)
        found = self.finders[key]
        if found is None:
            return None
        items = self.database.read(*found, {CALLER: who.user_id, "id": id})
        return None if items is None else (*items, None)[:1]

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
        session, waiting = self.database.session, self.database.session.waiting()
        if waiting.made:
            return False
        touched = waiting.touched()
        if not touched:
            return True
        if len(touched) > 1 or waiting.change or session.watched():
            return False
        (item,) = touched
        shape = self.database.shapes.of(type(item))
        if shape is None or not shape.is_plain or not single.is_literal(item):
            return False
        if waiting.gone:
            waiting.change = shape.delete(item)
        else:
            waiting.change = shape.insert(item) if waiting.new else shape.update(item)
        waiting.drop(item)
        return True

    def commit(self) -> None:
        """Write what waits, and commit what else the session has done."""
        session, waiting = self.database.session, self.database.session.waiting()
        change, waiting.change = waiting.change, None
        if change is not None:  # so nobody watches, or it would not have been staged
            single.write(self.database.kept, change)
        if waiting.made or waiting.touched() or (change is None and session.watched()):
            session.commit()
