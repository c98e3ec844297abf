"""Callbacks: whoever ordered an archive is told that it is done, by a signed request to their URL.

Source: the Standard Webhooks specification, symmetric signatures (v1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

from glassware.api import runtime
from glassware.db import now
from glassware.jobs import Run, job
from glassware.jobs.resources import absolute
from glassware.media import json
from glassware.problems import InvalidProblem, UpstreamProblem

PREFIX = "whsec_"
#: What an endpoint answers that wants no more of them.
GONE = 410


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


@job(attempts=12)
def archive_callback(run: Run, url: str, secret: str, base: str, outcome: dict[str, Any]) -> None:
    """Tell how the building of an archive ended; what does not arrive is sent again.

    The twelfth and last time is 34 minutes after the first. The id of the message stays the same.
    """
    job_id, result, problem = outcome["id"], outcome["result"], outcome["problem"]
    message = {
        "type": f"archive.{outcome['state']}",
        "timestamp": now().isoformat().replace("+00:00", "Z"),
        "data": {
            "job": f"{base}/jobs/{job_id}",
            "state": outcome["state"],
            "result": result and base + result,
            "problem": problem and {**problem, "type": absolute(problem["type"], base)},
        },
    }
    body = json.dumps(message)
    try:
        headers = signed(str(run.id), secret, body, int(time.time()))
        runtime().parts.outside.post(url, body, headers)
    except UpstreamProblem as error:
        if error.upstream_status == GONE:
            raise InvalidProblem("The callback wants no more messages.") from error
        raise
