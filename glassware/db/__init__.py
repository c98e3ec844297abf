"""The database floor: one engine per app, aware times, time-ordered ids, named constraints."""

from glassware.db.base import KEPT, Database, Row, engine_options
from glassware.db.types import Instant, now

__all__ = ["KEPT", "Database", "Instant", "Row", "engine_options", "now"]
