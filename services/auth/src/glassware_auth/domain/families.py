"""Refresh tokens: each is good once, and what descends from one sign-in stands and falls together.

A token is authenticated, so an invented one is refused without asking the database. A used token
that comes again means that two parties hold it: the family ends. Only a client whose answer was
lost, or two of its threads at once, come again within moments, and get the same child.
"""

from __future__ import annotations

import hmac
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from uuid_utils.compat import uuid7

from glassware.config import Config
from glassware.db import now
from glassware.observe.logging import event
from glassware.problems import UnauthorizedProblem
from glassware_auth.domain.digests import mac
from glassware_auth.models import Family, User, db

PREFIX = "gwr_"
log = logging.getLogger(__name__)


def refusal() -> UnauthorizedProblem:
    """Return the one answer to every refresh token that is not good, whatever the reason."""
    return UnauthorizedProblem("The refresh token does not hold: sign in again.")


def write(config: Config, identifier: UUID, generation: int) -> str:
    """Return the token of a generation; the same one each time."""
    body = identifier.bytes + generation.to_bytes(4)
    tag = mac(config["app.secret_key"], "refresh token", body)
    return PREFIX + urlsafe_b64encode(body + tag).decode().rstrip("=")


def read(config: Config, token: str) -> tuple[UUID, int]:
    """Return the family's id and the generation. Raises UnauthorizedProblem."""
    try:
        body = urlsafe_b64decode(token.removeprefix(PREFIX) + "==")[:20]
        identifier, generation = UUID(bytes=body[:16]), int.from_bytes(body[16:])
    except ValueError:
        raise refusal() from None
    if not hmac.compare_digest(write(config, identifier, generation).encode(), token.encode()):
        raise refusal()
    return identifier, generation


def start(
    config: Config, user: User, client_id: str, scopes: Sequence[str], delegated: bool = False
) -> str:
    """Begin a session of the user and return its first token; forget those that have expired."""
    moment = now()
    lifetime = config["auth.delegation_lifetime" if delegated else "auth.refresh_lifetime"]
    db.session.execute(delete(Family).where(Family.user_id == user.id, Family.expires_at <= moment))
    family = Family(
        id=uuid7(),
        user_id=user.id,
        client_id=client_id,
        scopes=list(scopes),
        delegated=delegated,
        expires_at=moment + timedelta(seconds=lifetime),
    )
    db.session.add(family)
    return write(config, family.id, 0)


def find(identifier: UUID) -> Family:
    """Return the family. Raises UnauthorizedProblem where it has ended or expired."""
    alive = select(Family).where(Family.id == identifier, Family.expires_at > now())
    family = db.session.scalar(alive.execution_options(populate_existing=True))
    if family is None:
        raise refusal()
    return family


def turn(config: Config, family: Family, generation: int) -> str:
    """Use up the generation and return the next one's token. Raises UnauthorizedProblem.

    The update is the decision: of any number of callers at once one makes it, and the others find
    a family that has just turned.
    """
    use = update(Family).where(Family.id == family.id, Family.generation == generation)
    use = use.values(generation=generation + 1, turned_at=now())
    used = db.session.scalar(
        use.returning(Family.id), execution_options={"synchronize_session": False}
    )
    if used is None:
        family = find(family.id)
        grace = timedelta(seconds=config["auth.refresh_grace"])
        if family.generation != generation + 1 or now() - family.turned_at >= grace:
            end(family)
            event(log, "refresh_token_reused", level=logging.WARNING, subject=str(family.user_id))
            raise refusal()
    return write(config, family.id, generation + 1)


def end(family: Family) -> None:
    """End the session. Commits: it must hold although the request is refused."""
    db.session.execute(delete(Family).filter_by(id=family.id))
    db.session.commit()


def end_all(user: User) -> None:
    """End every session of the user."""
    db.session.execute(delete(Family).filter_by(user_id=user.id))
