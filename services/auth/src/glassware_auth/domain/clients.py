"""Service accounts: OAuth clients and their secrets."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from glassware.auth import Principal
from glassware.auth.signatures import Signer
from glassware.config import Config
from glassware.problems import NotFoundProblem
from glassware_auth.domain.digests import digest, generate
from glassware_auth.domain.tokens import ScopeProblem, may_sign_in
from glassware_auth.models import Client, db

PREFIX = "gws_"


def named(client_id: str) -> Client:
    """Return the client. Raises NotFoundProblem."""
    client = db.find(Client, client_id=client_id)
    if client is None:
        raise NotFoundProblem(f"There is no client {client_id}.")
    return client


def add(
    config: Config,
    client_id: str,
    scopes: Sequence[str],
    first_party: bool = False,
    signing_key: str | None = None,
    delegate: bool = False,
) -> Client:
    """Create a client; its ``client_secret`` is known this once."""
    client = Client(
        client_id=client_id,
        scopes=list(scopes),
        first_party=first_party,
        signing_key=signing_key,
        delegate=delegate,
    )
    give_secret(config, client)
    db.session.add(client)
    return client


def give_secret(config: Config, client: Client, at_once: bool = False) -> None:
    """Put a new ``client_secret`` beside the present one, or at once in its place."""
    client.client_secret = generate(PREFIX)
    client.previous_digest = None if at_once else client.secret_digest
    client.secret_digest = digest(config["auth.key_secret"], "client", client.client_secret)


def authenticate(config: Config, client_id: str, secret: str) -> Client | None:
    """Return the client whose secret it is and who may still sign in."""
    if not client_id.isprintable():
        return None  # PostgreSQL would not even compare a text with a NUL
    client = db.find(Client, client_id=client_id)
    given = digest(config["auth.key_secret"], "client", secret)
    live = [client.secret_digest, client.previous_digest] if client else []
    # Every digest is compared, so that the time does not tell which of them came near.
    holds = [hmac.compare_digest(given, each or "") for each in live]
    return client if client is not None and any(holds) and may_sign_in(client) else None


def signer(client_id: str) -> Signer:
    """Return the client that signs by its name as the key id. Raises KeyError."""
    client = None
    if client_id.isprintable():
        client = db.find(Client, client_id=client_id)
    if client is None or client.signing_key is None or not may_sign_in(client):
        raise KeyError(client_id)
    key = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(f"{client.signing_key}="))
    return Signer(key, Principal(client.subject, frozenset(client.scopes), client.client_id))


def require_reach(who: Principal, scopes: Iterable[str]) -> None:
    """Raise ScopeProblem unless the caller has the scopes: nobody hands out more than they hold."""
    if not who.scopes.issuperset(scopes):
        raise ScopeProblem(
            "A client may be given only scopes that your own token has.",
            allowed=sorted(who.scopes),
        )
