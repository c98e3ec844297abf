"""The one shape of every caller, however they proved who they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Principal:
    """A caller: a person (``subject`` is a user id), a service account, or nobody.

    ``token`` is the credential as it was sent, kept for relaying it to a neighbour and out of
    every representation.
    """

    subject: str
    scopes: frozenset[str] = frozenset()
    client_id: str = ""
    token: str = field(default="", repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def known(self) -> bool:
        """Whether the caller proved who they are."""
        return bool(self.subject)

    def may(self, scope: str) -> bool:
        """Whether the scope was granted."""
        return scope in self.scopes


ANONYMOUS = Principal("")
