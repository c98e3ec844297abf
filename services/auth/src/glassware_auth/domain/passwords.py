"""Passwords of people: argon2id, with a bound on how many are hashed at once."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from glassware.problems import UnavailableProblem

#: OWASP's second choice of parameters: 19 MiB and about 15 ms for each hash.
HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
#: Matches no password, and takes as long as any other to say so.
NOBODY = f"$argon2id$v=19$m={19 * 1024},t=2,p=1${'A' * 22}${'A' * 43}"


class Passwords:
    """Hashes and verifies, at most ``in_flight`` at once: each takes 19 MiB while it lasts.

    Who gets no turn within ``patience`` seconds gets an UnavailableProblem.
    """

    def __init__(self, in_flight: int, patience: float = 5.0) -> None:
        self.patience = patience
        self._turns = BoundedSemaphore(in_flight)

    def hash(self, password: str) -> str:
        """Return the encoded hash, salt and parameters included."""
        with self._turn():
            return HASHER.hash(normal(password))

    def verify(self, password: str, encoded: str | None) -> bool:
        """Whether it is the password; without a hash it is not, after as long a time."""
        with self._turn():
            try:
                return HASHER.verify(encoded or NOBODY, normal(password))
            except (VerificationError, InvalidHashError):
                return False

    def outdated(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return HASHER.check_needs_rehash(encoded)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self.patience):
            raise UnavailableProblem("Too many people sign in now.", headers={"Retry-After": "1"})
        try:
            yield
        finally:
            self._turns.release()


def normal(password: str) -> str:
    """Return one spelling of the text: keyboards differ in how they compose a letter."""
    return unicodedata.normalize("NFKC", password)
