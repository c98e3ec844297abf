"""What the database keeps and must not be able to read: sealed by a key that is not in it."""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12


def derived(secret: str, purpose: str, content: bytes = b"") -> bytes:
    """Return 32 bytes that only who has the secret could derive."""
    return hmac.digest(secret.encode(), purpose.encode() + b"\0" + content, hashlib.sha256)


class Seal:
    """AES-256-GCM under the key; ``name`` says what is sealed, so that no two can be swapped."""

    def __init__(self, key: bytes, name: str) -> None:
        self.cipher, self.name = AESGCM(key), name.encode()

    def sealed(self, plain: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self.cipher.encrypt(nonce, plain, self.name)

    def opened(self, sealed: bytes) -> bytes:
        """Return the plain bytes. Raises cryptography's InvalidTag for any others."""
        return self.cipher.decrypt(sealed[:NONCE], sealed[NONCE:], self.name)
