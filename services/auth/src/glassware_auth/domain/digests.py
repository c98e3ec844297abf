"""Generated secrets and keyed digests. People's passwords are elsewhere: those need argon2."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def generate(prefix: str) -> str:
    """Return a new secret of 256 bits; the prefix tells people and leak scanners what it is."""
    return prefix + secrets.token_urlsafe(32)


def mac(key: str, purpose: str, data: bytes) -> bytes:
    """Return 32 bytes that only a holder of the key can make, other ones for each purpose."""
    return hmac.digest(key.encode(), purpose.encode() + b"\0" + data, hashlib.sha256)


def digest(key: str, purpose: str, text: str) -> str:
    """Return a keyed digest to store and compare in place of the text, 64 hexadecimal digits."""
    return mac(key, purpose, text.encode()).hex()
