"""The values of a row that one statement writes are those that a session would give it."""

from __future__ import annotations

from typing import Any

from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from glassware.db import Database, Row
from glassware.db.single import Shape

db = Database()


def slug(context: Any) -> str:
    return "-".join(context.get_current_parameters()["name"].lower().split())


class Label(Row, db.Model):
    """Has a part that is made of another."""

    __tablename__ = "labels"

    name: Mapped[str] = mapped_column(String(20))
    slug: Mapped[str] = mapped_column(String(20), default=slug, onupdate=slug)
    size: Mapped[int] = mapped_column(default=7)


def plain(label: Label) -> tuple[Any, ...]:
    return label.name, label.slug, label.size, label.version, label.created_at == label.updated_at


NAMES = st.text("aB ", max_size=20)


@given(name=NAMES, other=NAMES, size=st.none() | st.integers(0, 9))
def test_defaults_are_asked_as_a_session_asks_them(
    app: Flask, name: str, other: str, size: int | None
) -> None:
    values = {"name": name, **({} if size is None else {"size": size})}
    with app.app_context():
        by_session, by_statement = Label(**values), Label(**values)
        shape = Shape(Label, db.engine.dialect)
        assert shape.is_plain
        db.session.add(by_session)
        db.session.flush()
        shape.insert(by_statement)
        assert plain(by_statement) == plain(by_session) == (*plain(by_session)[:3], 1, True)

        kept = shape.item(db.session.execute(db.select(Label.__table__)).cursor.fetchone())
        by_session.name = kept.name = other
        db.session.flush()
        shape.update(kept)
        assert plain(kept) == plain(by_session)
        db.session.rollback()
