"""The issuer's public keys (RFC 7517), kept so that no request ever waits on a sick issuer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt

from glassware.problems import KeysUnavailableProblem

Keys = dict[str, jwt.PyJWK]
log = logging.getLogger(__name__)


class RemoteKeys:
    """A key set fetched in the background: single flight, stale on error, with a cooldown.

    ``fetch`` returns the key set document and raises when it cannot; it must have a timeout of its
    own. All times are in seconds: after ``refresh`` a key set is fetched anew while the old one
    goes on serving; between two fetches pass at least ``cooldown``; after ``grace`` without an
    answer the old keys are no longer believed. A request with an unknown key waits for at most
    ``patience``, and only for an issuer that answered the last time.
    """

    def __init__(
        self,
        fetch: Callable[[], Mapping[str, Any]],
        algorithms: Sequence[str],
        *,
        refresh: float = 300.0,
        cooldown: float = 5.0,
        grace: float = 86_400.0,
        patience: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fetch = fetch
        self.algorithms = frozenset(algorithms)
        self.refresh, self.cooldown, self.grace = refresh, cooldown, grace
        self.patience, self.clock = patience, clock
        self._lock = threading.Lock()
        self._keys: Keys = {}
        self._fetched_at: float | None = None
        self._asked_at = float("-inf")
        self._healthy = True
        self._in_flight: threading.Event | None = None
        #: Changes with the keys.
        self.epoch = 0
        self._document: Mapping[str, Any] = {}

    def find(self, kid: str) -> jwt.PyJWK:
        """Return the key; raise KeyError for one the issuer does not have.

        Raises KeysUnavailableProblem when that cannot be told: the issuer has not answered yet,
        or not for too long.
        """
        key = self._known().get(kid)
        if key is not None:
            if self.age() > self.refresh:
                self._ask()
            return key
        self._wait(self._ask())
        keys = self._known()
        if kid in keys:
            return keys[kid]
        if not keys or not self._healthy:
            raise self._unavailable()
        raise KeyError(kid)

    def ready(self) -> None:
        """Raise KeysUnavailableProblem unless there are keys to check a token with.

        Asked now and then, it keeps them fresh where no token asks for them.
        """
        if self.age() > self.refresh:
            asked = self._ask()
            if not self._known():
                self._wait(asked)
        if not self._known():
            raise self._unavailable()

    def _unavailable(self) -> KeysUnavailableProblem:
        return KeysUnavailableProblem(
            "The keys that check tokens cannot be had from the issuer now.",
            headers={"Retry-After": str(max(1, round(self.cooldown)))},
        )

    def _known(self) -> Keys:
        return self._keys if self.age() <= self.grace else {}

    def age(self) -> float:
        """Return the seconds since the keys were fetched, infinity where they never were."""
        return float("inf") if self._fetched_at is None else self.clock() - self._fetched_at

    def _ask(self) -> threading.Event | None:
        """Start a fetch unless one runs or one has just been; return the one that runs."""
        with self._lock:
            if self._in_flight or self.clock() - self._asked_at < self.cooldown:
                return self._in_flight
            self._asked_at = self.clock()
            done = self._in_flight = threading.Event()
        threading.Thread(target=self._load, args=(done,), name="jwks", daemon=True).start()
        return done

    def _wait(self, done: threading.Event | None) -> None:
        if done is not None and self._healthy:
            done.wait(self.patience)

    def _load(self, done: threading.Event) -> None:
        try:
            document = self.fetch()
            keys = read_keys(document, self.algorithms)
            if not keys:
                raise ValueError("the key set holds no usable key")
            self.epoch += document != self._document
            self._document = document
            self._keys, self._fetched_at, self._healthy = keys, self.clock(), True
        except Exception as error:  # whatever the issuer does, the old keys go on serving
            self._healthy = False
            log.warning("keys_not_fetched: %s", error)
        finally:
            with self._lock:
                self._in_flight = None
            done.set()


def read_keys(document: Mapping[str, Any], algorithms: frozenset[str]) -> Keys:
    """Return the keys that may check a signature by one of the algorithms; ignore the others."""
    keys: Keys = {}
    for entry in document["keys"]:
        if not isinstance(entry, dict) or not isinstance(entry.get("key_ops", []), list):
            continue
        if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
            continue
        if entry.get("alg") not in algorithms or not isinstance(entry.get("kid"), str):
            continue
        try:
            keys[entry["kid"]] = jwt.PyJWK.from_dict(entry)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return keys
