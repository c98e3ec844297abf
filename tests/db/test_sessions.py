"""What waits for a session is in the one that is made at last: nobody can tell that it waited."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ForeignKey, String, delete, event, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column, relationship, scoped_session

from glassware.db import Database, Row

db = Database()


class Shelf(Row, db.Model):
    """Bears a name of its own."""

    __tablename__ = "shelves"

    name: Mapped[str] = mapped_column(String(20), unique=True)


class Box(Row, db.Model):
    """Knows its shelf, which is looked up when somebody asks for it."""

    __tablename__ = "boxes"

    label: Mapped[str] = mapped_column(String(20))
    shelf_id: Mapped[UUID] = mapped_column(ForeignKey("shelves.id", ondelete="CASCADE"))
    shelf: Mapped[Shelf] = relationship()


class Script:
    """Does what code does with ``db.session``; ``items`` are those that it has at hand."""

    def __init__(self, session: Any, finds_early: bool) -> None:
        self.session, self.finds_early = session, finds_early
        self.items: list[Shelf] = []

    def find(self, name: str) -> Any:
        if self.finds_early:
            found = db.find(Shelf, name=name)
        else:
            found = self.session.scalar(select(Shelf).filter_by(name=name))
        if found is not None and not any(each is found for each in self.items):
            self.items.append(found)
        return found and found.version

    def add(self, name: str) -> None:
        self.items.append(Shelf(name=name))
        self.session.add(self.items[-1])

    def again(self, name: str) -> None:
        for item in self.items:
            self.session.add(item)

    def rename(self, name: str) -> None:
        if self.items:
            self.items[-1].name = name

    def remove(self, name: str) -> None:
        if self.items:
            self.session.delete(self.items.pop())

    def count(self, name: str) -> Any:
        return self.session.scalar(select(func.count(Shelf.id)).filter_by(name=name))

    def flush(self, name: str) -> None:
        self.session.flush()

    def commit(self, name: str) -> None:
        self.session.commit()

    def rollback(self, name: str) -> None:
        self.session.rollback()
        self.items = []

    def run(self, steps: list[tuple[str, str]]) -> Any:
        told = []
        for step, name in steps:
            try:
                told.append(getattr(self, step)(name))
            except SQLAlchemyError as error:
                self.rollback("")
                told.append(type(error))
        return told


STEPS = ("find", "find", "add", "again", "rename", "remove", "count", "flush", "commit", "rollback")
scripts = st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from("abc")), max_size=8)


@given(scripts)
def test_code_sees_and_writes_the_same(app: Flask, steps: list[tuple[str, str]]) -> None:
    outcomes = []
    for finds_early in (True, False):
        with app.app_context():
            db.session.execute(delete(Shelf))
            db.session.add(Shelf(name="a"))
            db.session.commit()
        with app.app_context():
            usual = scoped_session(db.session.session_factory, db.session.scope)
            script = Script(db.session if finds_early else usual, finds_early)
            told = script.run([*steps, ("commit", "")])
            usual.remove()
        with app.app_context():
            rows = db.session.execute(select(Shelf.name, Shelf.version).order_by(Shelf.name))
            outcomes.append((told, [tuple(row) for row in rows]))
    assert outcomes[0] == outcomes[1]


def test_a_session_is_made_only_when_it_is_needed(app: Flask) -> None:
    with app.app_context():
        db.session.execute(delete(Shelf))
        db.session.add(Shelf(name="a"))
        db.session.commit()
    with app.app_context():
        found = db.find(Shelf, name="a")
        db.session.add(Shelf(name="b"))
        assert not db.session.registry.has()
        assert found in db.session
        assert db.session.registry.has()
        assert [each.name for each in db.session.new] == ["b"]
    assert db.session.held == {}


def test_what_an_item_leads_to_is_looked_up(app: Flask) -> None:
    with app.app_context():
        db.session.execute(delete(Shelf))
        db.session.add(Box(label="full", shelf=Shelf(name="a")))
        db.session.commit()
    with app.app_context():
        found = db.find(Box, label="full")
        assert found is not None
        assert found.shelf.name == "a"


def test_who_listens_to_all_sessions_is_heard_of(app: Flask) -> None:
    assert not db.session.watched()
    event.listen(db.session, "before_flush", print)
    try:
        assert db.session.watched()
    finally:
        event.remove(db.session, "before_flush", print)
    assert not db.session.watched()
