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
#: Rows that are swept out in one transaction where all of them are.
PORTION = 1000


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


def sweep(connection: Any, table: Table, most: int = SWEPT) -> int:
    """Delete some rows whose time is over, and return how many they were.

    Those that somebody is deleting already are left.
    """
    (key,) = table.primary_key
    old = select(key).where(table.c.expires_at <= now()).limit(most)
    some = old.with_for_update(skip_locked=True).scalar_subquery()
    deleted: int = connection.execute(delete(table).where(key.in_(some))).rowcount
    return deleted


def sweep_out(engine: Engine, metadata: MetaData) -> dict[str, int]:
    """Delete all rows whose time is over, from every table that has ``expires_at``.

    Returns how many of each table they were. No transaction is long: writers wait for none.
    """
    found = {}
    for table in metadata.sorted_tables:
        if "expires_at" in table.c:
            count, deleted = 0, PORTION
            while deleted == PORTION:
                with engine.begin() as connection:
                    deleted = sweep(connection, table, PORTION)
                count += deleted
            found[table.name] = count
    return found


def spend(engine: Engine, nonces: Table, digest: str, until: datetime) -> bool:
    """Note a nonce, in a transaction of its own; return False where somebody has before."""
    try:
        with engine.begin() as connection:
            sweep(connection, nonces)
            connection.execute(insert(nonces).values(digest=digest, expires_at=until))
    except IntegrityError:
        return False
    return True
