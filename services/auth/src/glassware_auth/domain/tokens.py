"""Access tokens: who may have one, for which scopes, and what it says (RFC 9068)."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Container, Iterable, Sequence
from typing import Any
from uuid import UUID

from glassware.auth import Principal
from glassware.auth.signing import sign
from glassware.config import Config
from glassware.observe.logging import event
from glassware.problems import ForbiddenProblem
from glassware_auth.domain.authority import Authority
from glassware_auth.models import Client, User, db

#: The ``client_id`` of people who sign in at our own ``/login``, where there is no OAuth client.
LOGIN = "login"
log = logging.getLogger(__name__)

Holder = User | Client
Grant = dict[str, Any]


class ScopeProblem(ForbiddenProblem):
    """More was asked for than may be granted."""

    title, slug = "Scope exceeded", "scope-exceeded"
    advice = "Ask for the scopes in `allowed`, or for none to get all of them."


def may_sign_in(holder: Holder) -> bool:
    """The one check of every grant, of every refresh, and of every token used here."""
    return holder.active and (isinstance(holder, Client) or holder.activated_at is not None)


def in_good_standing(who: Principal) -> bool:
    """Whether the holder of the token could still get it; a token outlives that by minutes."""
    holder: Holder | None
    if (identifier := user_id(who)) is not None:
        holder = db.find(User, id=identifier)
    else:
        holder = db.find(Client, client_id=who.subject)
    return holder is not None and may_sign_in(holder)


def user_id(who: Principal) -> UUID | None:
    """Return the id of the person who calls, None for a service account."""
    try:
        identifier = UUID(who.subject)
    except ValueError:
        return None
    return identifier if str(identifier) == who.subject else None


def scopes_of(config: Config, holder: Holder) -> Sequence[str]:
    """Return all that the holder may be granted."""
    if isinstance(holder, Client):
        return holder.scopes
    admins = config["auth.admin_scopes"] if holder.admin else ()
    return (*config["auth.user_scopes"], *admins)


def narrow(asked: str | None, allowed: Sequence[str]) -> list[str]:
    """Return the scopes asked for, all that are allowed where none are. Raises ScopeProblem."""
    wanted = list(dict.fromkeys((asked or "").split())) or list(dict.fromkeys(allowed))
    if not set(wanted) <= set(allowed):
        raise ScopeProblem("A scope was asked for that may not be granted.", allowed=list(allowed))
    return wanted


def common(scopes: Iterable[str], *bounds: Container[str]) -> list[str]:
    """Return the scopes that all bounds have, too."""
    return [scope for scope in scopes if all(scope in bound for bound in bounds)]


def issue(
    authority: Authority,
    holder: Holder,
    scopes: Sequence[str],
    client_id: str = LOGIN,
    *,
    delegated: bool = False,
    until: float = math.inf,
) -> Grant:
    """Return an access token for the holder (RFC 6749 section 5.1), good ``until`` then at most.

    A delegated one names the client as who acts (RFC 8693 section 4.1). Raises ForbiddenProblem
    where the holder may not sign in.
    """
    if not may_sign_in(holder):
        raise ForbiddenProblem("The account has not been activated, or has been deactivated.")
    config, signer, now = authority.config, authority.keys.signer(), int(time.time())
    lifetime = int(min(config["auth.access_lifetime"], until - now))
    claims: dict[str, Any] = {
        "iss": config["auth.issuer"],
        "sub": holder.subject,
        "aud": config["auth.audience"],
        "client_id": client_id,
        "scope": " ".join(scopes),
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
        "jti": os.urandom(16).hex(),
        **({"act": {"sub": client_id}} if delegated else {}),
    }
    event(log, "token_issued", subject=holder.subject, client=client_id, scopes=claims["scope"])
    return {
        "access_token": sign(claims, signer.private, signer.kid, signer.algorithm),
        "token_type": "Bearer",
        "expires_in": lifetime,
        "scope": claims["scope"],
    }
