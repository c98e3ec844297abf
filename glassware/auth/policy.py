"""Policies: who may call a resource, in words that read aloud.

``scope("tasks:read")``, ``owner("person_id") | scope("tasks:admin")``, ``public("health")``.
A policy is asked twice: before anything is loaded (``item`` is None), and again with the item.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from glassware.auth.principal import Principal
from glassware.problems import ForbiddenProblem, UnauthorizedProblem

Rule = Callable[[Principal, Any], bool]


@dataclass(frozen=True)
class Policy:
    """A rule with its words. Combine with ``|`` and ``&``.

    ``scopes`` are, for the documentation, the sets of scopes each of which suffices. ``networks``
    are the options that it looks a caller's address up in, and ``reaches`` tells whether anybody at
    all could be let in from there. ``by_token`` says that it goes by the caller's token and nothing
    else.
    """

    words: str
    permits: Rule
    is_public: bool = False
    needs_item: bool = False
    scopes: frozenset[frozenset[str]] = frozenset({frozenset()})
    networks: frozenset[str] = frozenset()
    reaches: Callable[[Principal], bool] = lambda _who: True
    by_token: bool = False

    def __str__(self) -> str:
        return self.words

    def __or__(self, other: Policy) -> Policy:
        return self._joined(
            other,
            "or",
            lambda who, item: self.permits(who, item) or other.permits(who, item),
            self.scopes | other.scopes,
            lambda who: self.reaches(who) or other.reaches(who),
        )

    def __and__(self, other: Policy) -> Policy:
        return self._joined(
            other,
            "and",
            lambda who, item: self.permits(who, item) and other.permits(who, item),
            frozenset(mine | theirs for mine in self.scopes for theirs in other.scopes),
            lambda who: self.reaches(who) and other.reaches(who),
        )

    def _joined(
        self,
        other: Policy,
        word: str,
        rule: Rule,
        scopes: frozenset[frozenset[str]],
        reaches: Callable[[Principal], bool],
    ) -> Policy:
        if self.is_public or other.is_public:
            raise ValueError("a public policy cannot be combined: it would say nothing")
        return Policy(
            f"({self} {word} {other})",
            rule,
            needs_item=self.needs_item or other.needs_item,
            scopes=scopes,
            networks=self.networks | other.networks,
            reaches=reaches,
            by_token=self.by_token and other.by_token,
        )

    def admit(self, who: Principal) -> None:
        """Raise UnauthorizedProblem or ForbiddenProblem unless the caller may try."""
        if self.permits(who, None):
            return
        if not self.reaches(who):
            raise ForbiddenProblem(
                f"This cannot be called from where you are: it needs {self}.", required=str(self)
            )
        if not who.known:
            raise UnauthorizedProblem(
                "This needs a bearer token.", headers={"WWW-Authenticate": "Bearer"}
            )
        challenge = 'Bearer error="insufficient_scope"'
        raise ForbiddenProblem(
            f"The token does not reach this far: it needs {self}.",
            required=str(self),
            headers={"WWW-Authenticate": challenge},
        )


def scope(name: str) -> Policy:
    """The token was granted the scope (RFC 6749 section 3.3)."""
    suffices = frozenset({frozenset({name})})
    return Policy(f"scope {name}", lambda who, _item: who.may(name), scopes=suffices, by_token=True)


def authenticated() -> Policy:
    """Any caller with a valid token."""
    return Policy("authenticated", lambda who, _item: who.known, by_token=True)


def owner(attribute: str) -> Policy:
    """The caller is the item's owner: their subject is the item's ``attribute``."""

    def permits(who: Principal, item: Any) -> bool:
        return who.known and (item is None or str(getattr(item, attribute)) == who.subject)

    return Policy(f"owner by {attribute}", permits, needs_item=True)


def public(reason: str) -> Policy:
    """Everybody, without a token; the reason is listed by ``manage.py routes``."""
    return Policy(f"public: {reason}", lambda _who, _item: True, is_public=True, by_token=True)
