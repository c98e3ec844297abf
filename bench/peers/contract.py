"""What every peer is given: where the tasks are, whose tokens count, where people live."""

from __future__ import annotations

import os
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as mac
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

DATABASE = os.environ["BENCH_DATABASE"]
ISSUER, AUDIENCE = os.environ["BENCH_ISSUER"], "glassware"
PEOPLE = f"{ISSUER}/users/"
PEM = Path(os.environ["BENCH_KEY"]).read_bytes()
PRIVATE = load_pem_private_key(PEM, None)
PUBLIC = PRIVATE.public_key()
PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000")
LIFETIME = 300


def claims_of(token: str) -> dict[str, Any]:
    """Check the token. Raises jwt.PyJWTError."""
    required = {"require": ["exp", "iss", "aud", "sub"]}
    return jwt.decode(
        token, PUBLIC, algorithms=["ES256"], issuer=ISSUER, audience=AUDIENCE, options=required
    )


def digest(secret: str) -> str:
    """Return what is stored of a client's secret."""
    return mac(b"the server's key", secret.encode(), sha256).hex()


def holds(secret: str, stored: str) -> bool:
    return compare_digest(digest(secret), stored)


def grant(client_id: str, scope: str) -> dict[str, Any]:
    """Return the answer of the token endpoint (RFC 6749 section 5.1)."""
    now = int(time())
    claims = {
        "iss": ISSUER,
        "sub": client_id,
        "aud": AUDIENCE,
        "client_id": client_id,
        "scope": scope,
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "jti": uuid4().hex,
    }
    headers = {"typ": "at+jwt", "kid": "1"}
    return {
        "access_token": jwt.encode(claims, PRIVATE, "ES256", headers),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": scope,
    }
