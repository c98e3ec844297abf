"""Signing in with email and password."""

from __future__ import annotations

from sqlalchemy import select

from glassware.problems import UnauthorizedProblem
from glassware_auth.domain import attempts, families
from glassware_auth.domain.authority import Authority
from glassware_auth.domain.tokens import LOGIN, Grant, issue, narrow, scopes_of
from glassware_auth.models import User, db


def sign_in(
    authority: Authority, email: str, password: str, network: str, scope: str | None = None
) -> Grant:
    """Return an access token and a refresh token for the person.

    Raises UnauthorizedProblem, ForbiddenProblem, TooManyRequestsProblem.
    """
    user = identify(authority, email, password, network)
    scopes = narrow(scope, scopes_of(authority.config, user))
    return open_session(authority, user, scopes, LOGIN)


def identify(authority: Authority, email: str, password: str, network: str) -> User:
    """Return the user whose password it is; who is not there fails as one who is, and as slowly."""
    attempt = attempts.begin(authority.config, email, network)
    user = db.session.scalar(select(User).filter_by(email=email))
    if not authority.passwords.verify(password, user.password_hash if user else None) or not user:
        raise refusal()
    if authority.passwords.outdated(user.password_hash):
        user.password_hash = authority.passwords.hash(password)
    attempts.forgive(attempt)
    return user


def refusal() -> UnauthorizedProblem:
    return UnauthorizedProblem("The email or the password is wrong.")


def open_session(authority: Authority, user: User, scopes: list[str], client_id: str) -> Grant:
    """Return the tokens of a new session. Raises UnauthorizedProblem.

    Checking the password took a while. Who changed it meanwhile has ended the sessions that there
    were, and this one was none of them: so the password is looked at again, now that the session
    is written. Of the two, whoever comes second waits for the other's commit.
    """
    grant = issue(authority, user, scopes, client_id)
    token = families.start(authority.config, user, client_id, scopes)
    db.session.flush()
    present = select(User.password_hash).filter_by(id=user.id).with_for_update(read=True)
    if db.session.scalar(present) != user.password_hash:
        raise refusal()
    return {**grant, "refresh_token": token}
