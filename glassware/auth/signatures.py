"""Signed requests: HTTP message signatures (RFC 9421) with Content-Digest (RFC 9530), good once.

A signature covers the method, the whole URL and, where there is a body, its digest; it says when it
was made, by which key, and a nonce. Which algorithm checks it is the key's affair, never the
message's. The one place that touches the library.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import http_sf
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    MappingKeyResolver,
    VerifyResult,
)
from http_message_signatures.algorithms import ED25519, HMAC_SHA256

from glassware.auth.principal import Principal
from glassware.problems import UnauthorizedProblem

HEADER = "Signature-Input"
COVERED = ("@method", "@target-uri")
NONCE = re.compile(r"[!-~]{1,128}")
#: Bytes of a shared secret, as many as its hash has (RFC 2104 section 3).
SECRET_LENGTH = 32


class Signer(NamedTuple):
    """Whoever holds a key: a secret of 32 bytes or more for HMAC-SHA256, or an Ed25519 key."""

    key: bytes | Ed25519PublicKey
    principal: Principal


#: From a key id to its signer; raises KeyError.
FindSigner = Callable[[str], Signer]
#: Notes a nonce's digest until a moment; returns False for one that was noted before.
Spend = Callable[[str, datetime], bool]


@dataclass(frozen=True)
class Message:
    """A request as it was sent: its URL absolute and escaped, its body read when asked for."""

    method: str
    url: str
    headers: Any
    body: Callable[[], bytes]


class SignatureVerifier:
    """Turns a signed request into a Principal, or raises UnauthorizedProblem.

    A signature holds for ``max_age`` seconds; clocks may differ by ``leeway`` seconds. ``spend``
    must know what every process of the service has seen.
    """

    def __init__(
        self, find_signer: FindSigner, spend: Spend, *, max_age: float, leeway: float
    ) -> None:
        self.find_signer, self.spend = find_signer, spend
        self.max_age, self.leeway = timedelta(seconds=max_age), timedelta(seconds=leeway)

    def principal(self, message: Message) -> Principal:
        """Check key, signature, what it covers, body and nonce, in this order."""
        key_id = key_named(message)
        try:
            signer = self.find_signer(key_id)
        except KeyError:
            raise refusal("it is not of a key that is known here") from None
        verifier = verifier_of(signer.key, key_id, self.leeway)
        result = verified(verifier, message, self.max_age)
        try:
            verifier.verify_body(message, [result], message.body())
        except HTTPMessageSignaturesException as error:
            raise refusal(str(error)) from None
        self._use(key_id, result.nonce)
        return signer.principal

    def _use(self, key_id: str, nonce: str | None) -> None:
        if nonce is None or not NONCE.fullmatch(nonce):
            raise refusal("its nonce must be 1 to 128 visible ASCII characters")
        digest = hashlib.sha256(f"{key_id} {nonce}".encode()).hexdigest()
        # It holds until it is too old by our clock, which may be behind the signer's.
        until = datetime.now(UTC) + self.max_age + 2 * self.leeway
        if not self.spend(digest, until):
            raise refusal("it was used before")


def key_named(message: Message) -> str:
    """Return the key id that the one signature of the message names."""
    try:
        field = message.headers.get(HEADER, "").encode()
        found: Any = http_sf.parse(field, tltype="dictionary")
        ((_covered, parameters),) = found.values()
        key_id = parameters["keyid"]
    except (ValueError, TypeError, KeyError):
        raise refusal("there must be one, which names its key (keyid)") from None
    if not isinstance(key_id, str):
        raise refusal("its keyid is not a text")
    return key_id


def verifier_of(
    key: bytes | Ed25519PublicKey, key_id: str, leeway: timedelta
) -> HTTPMessageVerifier:
    """Return what verifies signatures of this key alone. Raises ValueError for a weak one."""
    if isinstance(key, bytes) and len(key) < SECRET_LENGTH:
        raise ValueError(f"the secret of the key {key_id} is shorter than {SECRET_LENGTH} bytes")
    algorithm = HMAC_SHA256 if isinstance(key, bytes) else ED25519
    keys = MappingKeyResolver(public_keys={key_id: key}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=keys)
    verifier.max_clock_skew = leeway
    return verifier


def verified(
    verifier: HTTPMessageVerifier,
    message: Message,
    max_age: timedelta | None,
    covered: tuple[str, ...] = COVERED,
) -> VerifyResult:
    """Return what the message's one signature says, its body aside."""
    try:
        (result,) = verifier.verify(message, max_age=max_age, require_components=covered)
    except HTTPMessageSignaturesException as error:
        wrong = isinstance(error.__cause__, InvalidSignature)
        raise refusal("it is not right" if wrong else str(error)) from None
    return result


def refusal(reason: str) -> UnauthorizedProblem:
    """Return the 401."""
    reason = reason.rstrip(".")
    return UnauthorizedProblem(
        f"The signature does not hold: {reason}.", headers={"WWW-Authenticate": "Bearer"}
    )
