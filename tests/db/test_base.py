"""What every model and every connection has, on a real SQLite file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ForeignKey, String, func, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from glassware.db import Database, Instant, Row, engine_options, now

db = Database()


class Shelf(Row, db.Model):
    """Holds boxes."""

    __tablename__ = "shelves"

    name: Mapped[str] = mapped_column(String(20), unique=True, default="")
    at: Mapped[datetime | None] = mapped_column(Instant)


class Box(Row, db.Model):
    """Stands on a shelf."""

    __tablename__ = "boxes"

    shelf_id: Mapped[UUID] = mapped_column(ForeignKey("shelves.id"), index=True)


def make_app(path: Path) -> Flask:
    app = Flask("boxes")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{path}"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(f"sqlite:///{path}", 4)
    db.init_app(app)
    with app.app_context():
        db.create_all()
    return app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = make_app(tmp_path_factory.mktemp("db") / "boxes.sqlite")
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def session(app: Flask) -> Iterator[Any]:
    with app.app_context():
        yield db.session
        db.session.rollback()


OFFSETS = st.integers(-24 * 60 + 1, 24 * 60 - 1).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(timezones=OFFSETS | st.timezones()).filter(
    lambda moment: 1 < moment.year < 9999
)


@given(moment=MOMENTS)
def test_a_moment_of_any_zone_comes_back_as_it_was_in_utc(app: Flask, moment: datetime) -> None:
    with app.app_context():
        shelf = Shelf(name="x", at=moment)
        db.session.add(shelf)
        db.session.flush()
        db.session.expire(shelf)
        # In UTC: Python finds moments of a repeated hour unequal across zones (PEP 495).
        assert shelf.at == moment.astimezone(UTC)
        assert shelf.at.tzinfo is UTC
        assert db.session.scalar(select(Shelf).where(Shelf.at == moment)) is shelf
        db.session.rollback()


@given(moments=st.lists(MOMENTS, min_size=2, max_size=8, unique=True))
def test_moments_sort_as_they_follow_each_other(app: Flask, moments: list[datetime]) -> None:
    with app.app_context():
        db.session.add_all(Shelf(name=str(n), at=at) for n, at in enumerate(moments))
        found = list(db.session.scalars(select(Shelf.at).order_by(Shelf.at)))
        db.session.rollback()
    assert found == sorted(moment.astimezone(UTC) for moment in moments)


def test_a_naive_moment_is_never_stored_or_compared(session: Any) -> None:
    naive = now().replace(tzinfo=None)
    session.add(Shelf(name="naive", at=naive))
    with pytest.raises(StatementError, match="naive"):
        session.flush()
    session.rollback()
    with pytest.raises(StatementError, match="naive"):
        session.scalars(select(Shelf).where(Shelf.at < naive))
    assert now().tzinfo is UTC


def test_ids_are_uuids_of_version_7_in_the_order_of_creation(session: Any) -> None:
    make = Shelf.__table__.c.id.default.arg
    ids = [make(None) for _ in range(10_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {each.version for each in ids} == {7}
    assert all(type(each) is UUID for each in ids)
    shelves = [Shelf(name=f"s{n}") for n in range(20)]
    for shelf in shelves:
        session.add(shelf)
        session.flush()
    assert list(session.scalars(select(Shelf).order_by(Shelf.id))) == shelves


def test_every_connection_keeps_the_pragmas(app: Flask) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000}
    with app.app_context():
        connections = [db.engine.connect() for _ in range(5)]
        for connection in connections:
            for name, value in wanted.items():
                assert connection.exec_driver_sql(f"PRAGMA {name}").scalar() == value
            connection.close()


def test_foreign_keys_are_enforced(session: Any) -> None:
    session.add(Box(shelf_id=UUID(int=7)))
    with pytest.raises(IntegrityError):
        session.flush()


def test_a_change_counts_the_version_and_moves_updated_at(session: Any) -> None:
    shelf = Shelf(name="a")
    session.add(shelf)
    session.flush()
    created, version = shelf.created_at, shelf.version
    assert (version, created.tzinfo) == (1, UTC)
    shelf.name = "b"
    session.flush()
    assert (shelf.version, shelf.created_at) == (2, created)
    assert shelf.updated_at > created
    shelf.name = "b"
    session.flush()
    assert shelf.version == 2


def test_a_change_of_a_version_that_is_gone_is_refused(app: Flask) -> None:
    with app.app_context():
        shelf = Shelf(name="contested")
        db.session.add(shelf)
        db.session.commit()

        def other() -> None:
            with app.app_context():
                db.session.get_one(Shelf, shelf.id).name = "taken"
                db.session.commit()

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
        shelf.name = "mine"
        with pytest.raises(StaleDataError):
            db.session.flush()
        db.session.rollback()


def test_lower_knows_more_than_ascii(session: Any) -> None:
    for given_, lower in (("ÄÖÜ", "äöü"), ("ΣΑΣ", "σας"), ("aB", "ab"), ("", ""), (None, None)):
        assert session.scalar(select(func.lower(given_))) == lower


def test_every_constraint_has_a_name_by_which_to_alter_it() -> None:
    tables = (Shelf.__table__, Box.__table__)
    parts = [part for table in tables for part in (*table.constraints, *table.indexes)]
    assert {part.name for part in parts} == {
        "pk_shelves",
        "uq_shelves_name",
        "pk_boxes",
        "fk_boxes_shelf_id_shelves",
        "ix_boxes_shelf_id",
    }


def test_two_apps_have_each_an_engine_of_their_own(app: Flask, tmp_path: Path) -> None:
    other = make_app(tmp_path / "other.sqlite")
    with app.app_context():
        first = db.engine
        with other.app_context():
            assert db.engine is not first
            db.session.add(Shelf(name="only here"))
            db.session.commit()
            assert db.session.scalar(select(func.count()).select_from(Shelf)) == 1
            db.session.remove()
            db.engine.dispose()
        assert db.engine is first
        assert db.session.scalar(select(Shelf).filter_by(name="only here")) is None


def test_two_databases_do_not_share_their_models() -> None:
    other = Database()
    assert other.metadata is not db.metadata
    assert not {"shelves", "boxes"} & set(other.metadata.tables)


def test_an_error_does_not_show_its_parameters(session: Any) -> None:
    with pytest.raises(Exception, match="nowhere") as caught:
        session.execute(text("SELECT * FROM nowhere WHERE a = :a"), {"a": "a secret"})
    assert "a secret" not in str(caught.value)


def test_no_wait_is_without_an_end(app: Flask) -> None:
    for url in ("sqlite:////x", "postgresql+psycopg://x/y"):
        options = {**db._engine_options, **engine_options(url, 4)}
        assert 0 < options["pool_timeout"] <= 10
    assert 0 < options["connect_args"]["connect_timeout"] <= 10
    assert options["pool_size"] == 4
