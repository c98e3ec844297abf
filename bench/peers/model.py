"""The rows, for the peers that stand on SQLAlchemy."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from contract import DATABASE, PRAGMAS
from sqlalchemy import DateTime, String, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator):
    """SQLite keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value and value.astimezone(UTC)

    def process_result_value(self, value, dialect):
        return value and (value if value.tzinfo else value.replace(tzinfo=UTC))


def now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    pass


class Task(Base):
    __tablename__ = "tasks"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    version: Mapped[int] = mapped_column(default=1)
    title: Mapped[str] = mapped_column(String(100))
    person_id: Mapped[UUID]
    due_to: Mapped[datetime | None] = mapped_column(Instant)
    done: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Instant, default=now)
    updated_at: Mapped[datetime] = mapped_column(Instant, default=now, onupdate=now)


class Client(Base):
    __tablename__ = "bench_clients"

    client_id: Mapped[str] = mapped_column(primary_key=True)
    secret: Mapped[str]
    scope: Mapped[str]


engine = create_engine(DATABASE)
Session = sessionmaker(engine)

if engine.dialect.name == "sqlite":

    @event.listens_for(engine, "connect")
    def set_up(connection, _record):
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
