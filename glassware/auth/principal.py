"""The one shape of every caller, however they proved who they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

NO_PERSON = UUID(int=0)


@dataclass(frozen=True)
class Principal:
    """A caller: a person (``subject`` is a user id), a service account, or nobody.

    ``token`` is the credential as it was sent, kept for relaying it to a neighbour and out of
    every representation. ``networks`` are the options of networks that hold the caller's address,
    of those that the policy asks for.
    """

    subject: str
    scopes: frozenset[str] = frozenset()
    client_id: str = ""
    token: str = field(default="", repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    networks: frozenset[str] = frozenset()

    @property
    def known(self) -> bool:
        """Whether the caller proved who they are."""
        return bool(self.subject)

    @cached_property
    def user_id(self) -> UUID:
        """The caller's id as a user; a service account is no person, and no row bears its id."""
        try:
            return UUID(self.subject)
        except ValueError:
            return NO_PERSON

    def may(self, scope: str) -> bool:
        """Whether the scope was granted."""
        return scope in self.scopes


ANONYMOUS = Principal("")
