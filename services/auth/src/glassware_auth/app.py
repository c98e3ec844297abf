"""The service, declared."""

from __future__ import annotations

from typing import Any

from glassware.api import runtime
from glassware.config import Option
from glassware.service import Service
from glassware_auth.domain import clients
from glassware_auth.domain.authority import Authority
from glassware_auth.domain.keys import MAKERS
from glassware_auth.models import db
from glassware_auth.resources import RESOURCES

USER_SCOPES = ("tasks:read", "tasks:write", "archives:write")
ADMIN_SCOPES = ("users:admin", "users:read", "clients:admin", "tasks:admin")
DEVELOPMENT = "; or development: only there."

OPTIONS = (
    Option(
        "auth.key_secret",
        str,
        None,
        "Seals the signing keys and keys the digests of client secrets: a change invalidates both.",
        secret=True,
    ),
    Option(
        "auth.registration",
        str,
        "development",
        "Who may register: open is everybody, by mail.host; closed is nobody" + DEVELOPMENT,
        choices=("open", "closed", "development"),
    ),
    Option(
        "auth.password_grant",
        str,
        "development",
        "Whether first-party clients may use the grant password: on, off" + DEVELOPMENT,
        choices=("on", "off", "development"),
    ),
    Option(
        "auth.signing_algorithm",
        str,
        "ES256",
        "Algorithm of the next signing keys; it must be in auth.algorithms of every service.",
        choices=tuple(MAKERS),
    ),
    Option(
        "auth.key_overlap", float, 900.0, "Seconds a key is published before it signs.", minimum=0
    ),
    Option("auth.access_lifetime", float, 300.0, "Seconds an access token holds.", minimum=1),
    Option("auth.refresh_lifetime", float, 2_592_000.0, "Seconds a session lasts.", minimum=1),
    Option(
        "auth.refresh_grace",
        float,
        10.0,
        "Seconds in which a used refresh token is a repeated request and not a theft.",
        minimum=0,
    ),
    Option(
        "auth.delegation_lifetime",
        float,
        86_400.0,
        "Seconds a delegate may act for a person who has left, as a job does.",
        minimum=1,
    ),
    Option("auth.user_scopes", list, USER_SCOPES, "Scopes that every person may have."),
    Option("auth.admin_scopes", list, ADMIN_SCOPES, "Scopes that administrators have beside."),
    Option(
        "auth.failures",
        int,
        10,
        "Failed sign-ins to an account from a network, after which none is tried for a while.",
        minimum=1,
    ),
    Option("auth.failures_window", float, 300.0, "Seconds a failure is remembered.", minimum=1),
    Option(
        "auth.hashes_at_once", int, 4, "Passwords a process hashes at once, 19 MiB each.", minimum=1
    ),
    Option("mail.host", str, "", "Relay that takes our mail. Empty: none is sent."),
    Option("mail.port", int, 25, "Port of the relay.", minimum=1, maximum=65535),
    Option("mail.from", str, "glassware@localhost", "Sender of our mail."),
)


def find_key(kid: str) -> Any:
    """Return our own public key. Raises KeyError."""
    return runtime().parts.keys.find(kid)


service = Service(
    name="auth",
    package="glassware_auth",
    summary="Users, service accounts and tokens.",
    resources=RESOURCES,
    options=OPTIONS,
    database=db,
    find_key=find_key,
    find_signer=clients.signer,
    make_parts=Authority.of,
)
