"""Messages that are signed for whoever shares a secret with the sender.

Source: the Standard Webhooks specification, symmetric signatures (v1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """Return the key in a secret as the specification writes it. Raises ValueError."""
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError(f"Needs to be {PREFIX} and 24 to 64 bytes in base64.")
    return key


def signed(id: str, secret: str, body: bytes, moment: int) -> dict[str, str]:
    """Return the headers of a message: its id, when it was sent, and the signature of all three."""
    content = f"{id}.{moment}.".encode() + body
    digest = base64.b64encode(hmac.digest(key_of(secret), content, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "Webhook-Id": id,
        "Webhook-Timestamp": str(moment),
        "Webhook-Signature": f"v1,{digest}",
    }
