"""What the service keeps: people, service accounts, sessions, signing keys, failed sign-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from glassware.db import Database, Instant, Row, now

db = Database()


class User(Row, db.Model):
    """A person. Nobody is ever deleted: other services refer to people by URL.

    ``activation`` is the link that the answer to a registration may hold; it is not kept.
    """

    __tablename__ = "users"
    __allow_unmapped__ = True

    activation: str

    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(200))
    admin: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    activated_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def subject(self) -> str:
        return str(self.id)


class Client(Row, db.Model):
    """A service account: an OAuth client that acts for itself, or first-party for people.

    ``client_id`` is its name and its subject; it is shorter than any spelling of a UUID, so it is
    never mistaken for a person. Of its secret only digests are kept, the last two of them, so that
    a secret can be replaced while the old one is still in use. ``client_secret`` is there only
    when it has just been made. ``signing_key`` is the public half of an Ed25519 key, base64url,
    by which the client may sign its requests to us. A ``delegate`` may act for people whose token
    it was sent, within its own scopes, also when they are gone (RFC 8693).
    """

    __tablename__ = "clients"
    __allow_unmapped__ = True

    client_secret: str

    client_id: Mapped[str] = mapped_column(String(30), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    first_party: Mapped[bool] = mapped_column(default=False)
    delegate: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    secret_digest: Mapped[str] = mapped_column(String(64))
    previous_digest: Mapped[str | None] = mapped_column(String(64))
    signing_key: Mapped[str | None] = mapped_column(String(43))

    @property
    def subject(self) -> str:
        return self.client_id


class Family(db.Model):
    """The refresh tokens that descend from one sign-in, of which only the youngest is good.

    A token is the family's id and a generation, authenticated; so a session is one row however
    often it is refreshed, and ending it is deleting the row. A ``delegated`` one is a delegate's,
    who acts for the person; its token stays the same, since only that client can use it.
    """

    __tablename__ = "families"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    client_id: Mapped[str] = mapped_column(String(30))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    generation: Mapped[int] = mapped_column(default=0)
    delegated: Mapped[bool] = mapped_column(default=False)
    turned_at: Mapped[datetime] = mapped_column(Instant, default=now)
    expires_at: Mapped[datetime] = mapped_column(Instant)

    user: Mapped[User] = relationship()


class SigningKey(db.Model):
    """A key that signs tokens; its times say what it is for at any moment.

    ``follows`` is the key before it, "" for the first one. It is unique, so of several processes
    that make a key at once one succeeds.
    """

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    follows: Mapped[str] = mapped_column(String(64), unique=True)
    algorithm: Mapped[str] = mapped_column(String(16))
    public: Mapped[dict[str, Any]] = mapped_column(JSON)
    private: Mapped[str] = mapped_column(Text)
    activates_at: Mapped[datetime] = mapped_column(Instant)
    retires_at: Mapped[datetime | None] = mapped_column(Instant)
    drops_at: Mapped[datetime | None] = mapped_column(Instant)

    def state(self, moment: datetime) -> str:
        """Return "next", "active", "retired" (still published) or "dropped"."""
        if self.drops_at is not None and self.drops_at <= moment:
            return "dropped"
        if self.retires_at is not None and self.retires_at <= moment:
            return "retired"
        return "next" if self.activates_at > moment else "active"


class Attempt(db.Model):
    """A sign-in that is under way or has failed, by account (a digest) and network."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_account_network", "account", "network"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(64))
    network: Mapped[str] = mapped_column(String(43))
    at: Mapped[datetime] = mapped_column(Instant, index=True)
