"""Verified tokens, remembered until they expire: a signature is checked once, not per request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from glassware.auth.principal import Principal

#: Tokens held by a process; beyond that, all are forgotten and verified anew.
CAPACITY = 10_000


class Remembered(NamedTuple):
    """Who a token proved to be, and from when and until when that holds, by the wall clock."""

    principal: Principal
    begins: float
    ends: float


class TokenMemory:
    """Remembers what ``verify`` said of a whole token, leeway included, and nothing it refused.

    ``epoch`` returns a number that changes with the issuer's keys: then everything is forgotten,
    so a token of a withdrawn key does not live on here.
    """

    def __init__(
        self,
        verify: Callable[[str], Principal],
        epoch: Callable[[], int],
        leeway: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.verify, self.epoch, self.leeway, self.clock = verify, epoch, leeway, clock
        self._held: dict[str, Remembered] = {}
        self._epoch = epoch()

    def principal(self, token: str) -> Principal:
        """Return who the token proves to be. Raises what ``verify`` raises."""
        if self._epoch != (epoch := self.epoch()):
            self._held, self._epoch = {}, epoch
        found = self._held.get(token)
        if found is not None and found.begins <= self.clock() < found.ends:
            return found.principal
        principal = self.verify(token)
        self._remember(token, principal)
        return principal

    def _remember(self, token: str, principal: Principal) -> None:
        if len(self._held) >= CAPACITY:
            self._held = {}
        begins = principal.claims["nbf"] - self.leeway
        ends = principal.claims["exp"] + self.leeway
        self._held[token] = Remembered(principal, begins, ends)
