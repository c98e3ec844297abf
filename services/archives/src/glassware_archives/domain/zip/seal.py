"""Encryption of an entry: WinZip's AE-2 with AES-256, which 7-Zip and libarchive read.

Source: https://www.winzip.com/en/support/aes-encryption/. The salt of each entry is random, so
encrypted archives are the ones whose bytes differ each time: a salt that repeats would give the
same key stream to two contents, and so both of them away.
"""

from __future__ import annotations

import os
import sys
from array import array
from hashlib import pbkdf2_hmac, sha1
from hmac import HMAC

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

#: The method that says so, and what the extra field adds: AE-2, AES-256, the true method.
METHOD = 99
OVERHEAD = 16 + 2 + 10

_ROUNDS, _KEY, _SALT = 1000, 32, 16
_STEP = 4096


def field(method: int) -> bytes:
    """Return the extra field 0x9901 of an entry that was compressed by the method."""
    return b"\x01\x99\x07\x00\x02\x00AE\x03" + method.to_bytes(2, "little")


class Seal:
    """The encryption of one entry: ``start``, what ``update`` returns, and ``end()``."""

    def __init__(self, passphrase: str) -> None:
        salt = os.urandom(_SALT)
        keys = pbkdf2_hmac("sha1", passphrase.encode(), salt, _ROUNDS, 2 * _KEY + 2)
        self.start = salt + keys[-2:]
        cipher = Cipher(AES256(keys[:_KEY]), ECB())  # noqa: S305 - of counters, each once
        self._encrypt = cipher.encryptor().update
        self._mac = HMAC(keys[_KEY : 2 * _KEY], digestmod=sha1)
        self._number, self._stream = 1, b""

    def update(self, data: bytes) -> bytes:
        """Return the bytes encrypted."""
        while len(self._stream) < len(data):
            self._stream += self._encrypt(self._counters())
        key, self._stream = self._stream[: len(data)], self._stream[len(data) :]
        # Numbers of any length are the quickest exclusive-or there is without another library.
        mixed = int.from_bytes(data, "little") ^ int.from_bytes(key, "little")
        sealed = mixed.to_bytes(len(data), "little")
        self._mac.update(sealed)
        return sealed

    def end(self) -> bytes:
        """Return the code that tells a changed entry from a whole one."""
        return self._mac.digest()[:10]

    def _counters(self) -> bytes:
        # Counted in little-endian, which no mode of the library does.
        first, self._number = self._number, self._number + _STEP
        counters = array("Q", bytes(16 * _STEP))
        counters[::2] = array("Q", range(first, self._number))
        if sys.byteorder == "big":
            counters.byteswap()
        return counters.tobytes()
