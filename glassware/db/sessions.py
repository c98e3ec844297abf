"""Sessions that are made when more is asked of them than to hold a row or two.

A session costs more than most requests do with it. So what the code adds, and what was read for it,
waits here; whoever asks for anything else is given a session that has it all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.util import ScopedRegistry

from glassware.db.single import Change

#: Whoever listens to these wants a flush or a commit to happen.
EVENTS = ("before_flush", "after_flush", "after_flush_postexec", "before_commit", "after_commit")


@dataclass
class Waiting:
    """Rows that no session has yet: new ones, ones that were read, ones to delete.

    ``change`` is what stands for one of them, to be written at the commit. Once a session is
    ``made`` the others are in there.
    """

    made: bool = False
    new: list[Any] = field(default_factory=list)
    known: list[Any] = field(default_factory=list)
    gone: list[Any] = field(default_factory=list)
    change: Change | None = None

    def touched(self) -> list[Any]:
        """Return the rows that a flush would write."""
        changed = [each for each in self.known if instance_state(each).modified]
        return self.new + self.gone + changed

    def drop(self, item: Any) -> None:
        for rows in (self.new, self.known, self.gone):
            rows[:] = [each for each in rows if each is not item]


class Sessions(scoped_session[Any]):
    """A session for each scope, made at need."""

    def __init__(self, like: scoped_session[Any]) -> None:
        super().__init__(like.session_factory)
        self.scope = like.registry.scopefunc
        self.registry = ScopedRegistry(self.make, self.scope)
        self.held: dict[Any, Waiting] = {}
        # What listens to all sessions is heard of by one that is never used.
        unused = like.session_factory().dispatch
        self.listeners = [getattr(unused, name) for name in EVENTS]

    def make(self) -> Session:
        """Return a session that has what waits."""
        session: Session = self.session_factory()
        waiting = self.waiting()
        for each in (*waiting.known, *waiting.new):
            session.add(each)
        for each in waiting.gone:
            session.delete(each)
        self.held[self.scope()] = Waiting(True, change=waiting.change)
        return session

    def waiting(self) -> Waiting:
        """Return what waits in this scope."""
        key = self.scope()
        return self.held.get(key) or self.held.setdefault(key, Waiting())

    def watched(self) -> bool:
        """Whether somebody wants to be told of what a session does."""
        return any(self.listeners)

    def add(self, instance: Any, *, _warn: bool = True) -> None:
        waiting, state = self.waiting(), inspect(instance, raiseerr=False)
        if waiting.made or state is None or not state.transient:
            super().add(instance, _warn=_warn)
        elif not any(each is instance for each in waiting.new):
            waiting.new.append(instance)

    def delete(self, instance: Any) -> None:
        waiting = self.waiting()
        if waiting.made or not any(each is instance for each in waiting.known):
            super().delete(instance)
        else:
            waiting.drop(instance)
            waiting.gone.append(instance)

    def remove(self) -> None:
        waiting = self.held.pop(self.scope(), None)
        if waiting is not None and waiting.made:
            super().remove()
