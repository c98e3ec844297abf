"""The keys that sign tokens: made at first need, rotated with an overlap, kept sealed."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from glassware.auth.jwks import Keys, read_keys
from glassware.auth.signing import public_jwk, thumbprint
from glassware.config import Config
from glassware.db import now
from glassware.problems import ConflictProblem, NotFoundProblem, UnavailableProblem
from glassware_auth.domain.digests import mac
from glassware_auth.models import SigningKey, db

MAKERS: dict[str, Callable[[], Any]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072),
}
#: Seconds for which the keys are held in memory; a rotation by another process is seen after that.
MEMORY = 2.0
LIVE = ("next", "active")

Rows = Sequence[SigningKey]


class Signer(NamedTuple):
    """A key ready to sign with."""

    kid: str
    algorithm: str
    private: Any


class Snapshot(NamedTuple):
    """The keys that were not dropped at a moment, and that moment on the monotonic clock."""

    rows: Rows
    public: Keys
    read_at: float


class KeyRing:
    """The service's signing keys, read through a short memory.

    A new key is published for ``overlap`` before it signs, and an old one for ``lifetime`` after it
    last signed, which outlives its tokens. A change of the keys has a database session of its own,
    so it neither commits nor loses what its caller is at; as SQLite has one writer, a caller asks
    for a signer before it writes.
    """

    def __init__(self, config: Config) -> None:
        self.algorithm: str = config["auth.signing_algorithm"]
        self.algorithms = frozenset(config["auth.algorithms"])
        self.overlap = timedelta(seconds=config["auth.key_overlap"])
        self.lifetime = timedelta(
            seconds=config["auth.access_lifetime"] + 2 * config["auth.leeway"]
        )
        seal = mac(config["auth.key_secret"], "signing keys", b"")
        self._seal = Fernet(base64.urlsafe_b64encode(seal))
        self._snapshot: Snapshot | None = None
        self._signer: Signer | None = None

    def signer(self) -> Signer:
        """Return the key to sign with now; the first caller of all makes it."""
        row = active(self.keys().rows)
        if self._signer is None or self._signer.kid != row.kid:
            self._signer = Signer(row.kid, row.algorithm, self.unseal(row))
        return self._signer

    def find(self, kid: str) -> Any:
        """Return the public key. Raises KeyError for one that is not, or no longer, ours."""
        return self.keys().public.get(kid) or self._read().public[kid]

    def document(self) -> dict[str, Any]:
        """Return the key set (RFC 7517 section 5), the next key included."""
        return {"keys": [row.public for row in self.keys().rows]}

    def keys(self) -> Snapshot:
        """Return the keys, as they were at most ``MEMORY`` seconds ago."""
        kept = self._snapshot
        if kept is None or time.monotonic() - kept.read_at > MEMORY:
            return self._read()
        return kept

    def _read(self) -> Snapshot:
        rows = chain(db.session())
        if not any(row.state(now()) == "active" for row in rows):
            self._make_first(rows)
            rows = chain(db.session())
        for row in rows:
            db.session.expunge(row)  # kept for longer than the session
        rows = [row for row in rows if row.state(now()) != "dropped"]
        public = read_keys({"keys": [row.public for row in rows]}, self.algorithms)
        self._snapshot = Snapshot(rows, public, time.monotonic())
        return self._snapshot

    def _make_first(self, rows: Rows) -> None:
        with Session(db.engine) as session:
            self._add(session, rows, now())
            try:
                session.commit()
            except IntegrityError:
                session.rollback()  # another process was quicker, and its key is as good

    def rotate(self, at_once: bool = False) -> SigningKey:
        """Publish the next key; it signs after the overlap, or at once.

        Where one is published already it is only brought forward. Raises ConflictProblem when
        there is nothing to bring forward, or somebody else rotates at this moment.
        """
        moment = now()
        with Session(db.engine, expire_on_commit=False) as session:
            rows = chain(session)
            upcoming = next((row for row in rows if row.state(moment) == "next"), None)
            if upcoming and not at_once:
                raise ConflictProblem(f"The next key signs from {upcoming.activates_at} on.")
            start = moment if at_once else moment + self.overlap
            key = upcoming or self._add(session, rows, start)
            self._hand_over(rows, key, start)
            return self._saved(session, key)

    def retire(self, kid: str, compromised: bool = False) -> SigningKey:
        """Stop signing with the key, in favour of a new one; its tokens hold until they expire.

        A compromised key is dropped at once, and its tokens with it. Raises NotFoundProblem.
        """
        moment = now()
        with Session(db.engine, expire_on_commit=False) as session:
            rows = chain(session)
            key = next((row for row in rows if row.kid == kid), None)
            if key is None:
                raise NotFoundProblem(f"There is no key {kid}.")
            if key.state(moment) in LIVE:
                others = [row for row in rows if row is not key and row.state(moment) in LIVE]
                heir = others[0] if others else self._add(session, rows, moment)
                self._hand_over([key], heir, moment)
            if compromised:
                key.drops_at = moment
            return self._saved(session, key)

    def _hand_over(self, rows: Rows, heir: SigningKey, start: datetime) -> None:
        """Let the heir sign from ``start`` on, and the others no longer."""
        heir.activates_at = min(heir.activates_at, start)
        heir.retires_at = heir.drops_at = None
        for row in rows:
            if row is not heir and row.state(start) in LIVE:
                row.retires_at, row.drops_at = start, start + self.lifetime

    def _add(self, session: Session, rows: Rows, start: datetime) -> SigningKey:
        private, public = key_pair(self.algorithm)
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        # Out of the rows that the decision for a new key was made on: were the database asked
        # again, a key that another process has made meanwhile would get a follower at once.
        last = {row.kid for row in rows} - {row.follows for row in rows}
        key = SigningKey(
            kid=public["kid"],
            follows=next(iter(last), ""),
            algorithm=self.algorithm,
            public=public,
            private=self._seal.encrypt(pem).decode(),
            activates_at=start,
        )
        session.add(key)
        return key

    def _saved(self, session: Session, key: SigningKey) -> SigningKey:
        dropped = update(SigningKey).where(SigningKey.drops_at <= now())
        try:
            session.flush()
            session.execute(dropped.values(private=""))  # what nobody needs, nobody can lose
            session.commit()
        except IntegrityError:
            raise ConflictProblem("Another rotation was under way; look at the keys.") from None
        self._snapshot = None
        return key

    def unseal(self, row: SigningKey) -> Any:
        """Return the private key. Raises UnavailableProblem where another secret sealed it."""
        try:
            pem = self._seal.decrypt(row.private.encode())
        except InvalidToken:
            raise UnavailableProblem(
                "The signing key was sealed with another auth.key_secret: restore that secret, or"
                f" retire the key {row.kid}."
            ) from None
        return serialization.load_pem_private_key(pem, None)


def chain(session: Session) -> Rows:
    """Return all keys that ever were, in the order in which they sign."""
    return session.scalars(select(SigningKey).order_by(SigningKey.activates_at)).all()


def active(rows: Rows) -> SigningKey:
    return [row for row in rows if row.state(now()) == "active"][-1]


def key_pair(algorithm: str) -> tuple[Any, dict[str, Any]]:
    """Return a new private key and its public JWK, whose name no command takes for an option."""
    while True:
        private = MAKERS[algorithm]()
        public = public_jwk("", algorithm, private.public_key())
        public["kid"] = thumbprint(public)
        if not public["kid"].startswith("-"):
            return private, public
