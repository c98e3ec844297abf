"""Sign access tokens and describe public keys; the other half of ``tokens`` and ``jwks``."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_encode

from glassware.media import json

ALGORITHMS: Mapping[str, Any] = get_default_algorithms()


def sign(claims: Mapping[str, Any], key: Any, kid: str, algorithm: str) -> str:
    """Return an ``at+jwt`` (RFC 9068 section 2.1), in the compact form of RFC 7515 section 7.1.

    ``key`` is a key object, never a PEM text: parsing and checking an RSA PEM costs a hundred times
    what the signature does.
    """
    signed = b".".join((header(kid, algorithm), base64url_encode(json.dumps(claims))))
    signature = ALGORITHMS[algorithm].sign(signed, key)
    return b".".join((signed, base64url_encode(signature))).decode()


@lru_cache(64)
def header(kid: str, algorithm: str) -> bytes:
    """Return the encoded header of all tokens that a key signs."""
    return base64url_encode(json.dumps({"alg": algorithm, "kid": kid, "typ": "at+jwt"}))


def public_jwk(kid: str, algorithm: str, key: Any) -> dict[str, Any]:
    """Return the public key as a JWK for signatures (RFC 7517 section 4)."""
    described: dict[str, Any] = ALGORITHMS[algorithm].to_jwk(key, as_dict=True)
    return {**described, "kid": kid, "alg": algorithm, "use": "sig"}


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the key's SHA-256 thumbprint (RFC 7638), which makes a good ``kid``."""
    from hashlib import sha256
    from json import dumps

    required = {
        "EC": ("crv", "kty", "x", "y"),
        "OKP": ("crv", "kty", "x"),
        "RSA": ("e", "kty", "n"),
    }
    members = {name: jwk[name] for name in required[jwk["kty"]]}
    canonical = dumps(members, separators=(",", ":"), sort_keys=True).encode()
    return base64.urlsafe_b64encode(sha256(canonical).digest()).rstrip(b"=").decode()
