"""What may happen once only: requests by their Idempotency-Key, signatures by their nonce.

Every service with a database has both tables; the unique digest is what holds between processes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from glassware.db.types import Instant, now

#: Rows that are swept out when one is added, so that no table outgrows its use.
SWEPT = 10


def answers_table(metadata: MetaData) -> Table:
    """Return the table of the answers that were given, each sealed."""
    return once_table(
        "idempotency_keys",
        metadata,
        Column("fingerprint", String(64), nullable=False),
        Column("sealed", LargeBinary, nullable=False),
    )


def nonces_table(metadata: MetaData) -> Table:
    """Return the table of the nonces that were used."""
    return once_table("nonces", metadata)


def once_table(name: str, metadata: MetaData, *columns: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("digest", String(64), primary_key=True),
        *columns,
        Column("expires_at", Instant, nullable=False, index=True),
    )


def sweep(connection: Any, table: Table) -> None:
    """Delete some rows whose time is over; those that somebody is deleting already are left."""
    old = select(table.c.digest).where(table.c.expires_at <= now()).limit(SWEPT)
    some = old.with_for_update(skip_locked=True).scalar_subquery()
    connection.execute(delete(table).where(table.c.digest.in_(some)))


def spend(engine: Engine, nonces: Table, digest: str, until: datetime) -> bool:
    """Note a nonce, in a transaction of its own; return False where somebody has before."""
    try:
        with engine.begin() as connection:
            sweep(connection, nonces)
            connection.execute(insert(nonces).values(digest=digest, expires_at=until))
    except IntegrityError:
        return False
    return True
