"""People: registering, activating, changing, deactivating."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import select, update
from sqlalchemy.exc import NoResultFound
from uuid_utils.compat import uuid7

from glassware.config import Config
from glassware.db import now
from glassware.problems import (
    ConflictProblem,
    InvalidParameterProblem,
    InvalidProblem,
    NotFoundProblem,
    UnauthorizedProblem,
)
from glassware_auth.domain import families, mail
from glassware_auth.domain.authority import Authority
from glassware_auth.domain.sign_in import identify
from glassware_auth.models import User, db

#: Seconds.
INVITATION_LIFETIME = 3 * 86_400
LETTER = """\
Somebody, most likely you, registered this address with {issuer}.

To activate the account, open this link and confirm:

{link}

If it was not you, do nothing.
"""


def with_email(email: str) -> User:
    """Return the user. Raises NotFoundProblem."""
    user = db.session.scalar(select(User).filter_by(email=email))
    if user is None:
        raise NotFoundProblem(f"There is no user {email}.")
    return user


def add(authority: Authority, password: str, *, activated: bool = False, **about: Any) -> User:
    """Create a user; ``about`` are email, name and admin.

    Raises ConflictProblem where the email is taken.
    """
    user = User(id=uuid7(), activated_at=now() if activated else None, **about)
    if db.session.scalar(select(User.id).filter_by(email=user.email)) is not None:
        raise ConflictProblem("There already is an account with this email.")
    user.password_hash = authority.passwords.hash(password)
    db.session.add(user)
    return user


def invitation(config: Config, user: User) -> str:
    """Return the token of the link that activates the account."""
    return signer(config).dumps(str(user.id))


def invite(config: Config, user: User, link: str) -> None:
    """Mail the link; in development the answer has it too. Raises UnavailableProblem."""
    if config.development:
        user.activation = link
    if config["mail.host"]:
        text = LETTER.format(issuer=config["auth.issuer"], link=link)
        mail.send(config, user.email, "Activate your account", text)


def signer(config: Config) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(config["app.secret_key"], salt="activation")


def invited(config: Config, token: str) -> User:
    """Return the user whom the link activates. Raises InvalidParameterProblem."""
    try:
        name = signer(config).loads(token, max_age=INVITATION_LIFETIME)
        return db.session.get_one(User, UUID(name))
    except (BadSignature, NoResultFound):
        raise InvalidParameterProblem(
            "The link is not one of ours, or it has expired.", errors={"token": ["Does not hold."]}
        ) from None


def activate(user: User) -> None:
    """Activate the account, exactly once. Raises ConflictProblem where that has been done."""
    fresh = update(User).where(User.id == user.id, User.activated_at.is_(None))
    # One conditional statement: of two who open the link at once, one finds it used.
    activated = fresh.values(activated_at=now(), version=User.version + 1).returning(User.id)
    if db.session.scalar(activated) is None:
        raise ConflictProblem("The link has been used: the account is activated.")
    db.session.refresh(user)


def deactivate(user: User) -> None:
    """Let the user sign in no more, and end their sessions."""
    user.active = False
    families.end_all(user)


def set_password(authority: Authority, user: User, password: str) -> None:
    """Give the user a password and end their sessions: whoever knew the old one is out."""
    user.password_hash = authority.passwords.hash(password)
    families.end_all(user)


def change_password(authority: Authority, user: User, old: str, new: str, network: str) -> None:
    """Give the user a new password for the old one.

    Raises InvalidProblem where the old one is wrong, TooManyRequestsProblem.
    """
    try:
        identify(authority, user.email, old, network)
    except UnauthorizedProblem:
        raise InvalidProblem(
            "The old password is wrong.", errors={"old_password": ["Wrong."]}
        ) from None
    set_password(authority, user, new)


def has_admin() -> bool:
    """Whether there is an administrator who may sign in."""
    admins = select(User.id).filter_by(admin=True, active=True).limit(1)
    return db.session.scalar(admins) is not None
