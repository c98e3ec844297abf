"""Links to a finished archive, for people without a token: signed, and good for a while."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from glassware.config import Config
from glassware.problems import ForbiddenProblem
from glassware_archives.models import Job


class LinkProblem(ForbiddenProblem):
    """The link has expired, or is not as it was given out."""

    title, slug = "Link does not hold", "link"
    advice = "Ask whoever sent you the link for a new one."


def signer(config: Config) -> URLSafeSerializer:
    return URLSafeSerializer(
        config["app.secret_key"],
        salt="archive link",
        # Its comparison takes the same time wherever two signatures begin to differ.
        signer_kwargs={"digest_method": sha256, "key_derivation": "hmac"},
    )


def lent(config: Config, job: Job, seconds: int) -> tuple[str, datetime]:
    """Return the token of a link, and the moment when it expires: not after the archive does."""
    assert job.expires_at is not None
    ends = int(min(time.time() + seconds, job.expires_at.timestamp()))
    token = signer(config).dumps([str(job.id), job.fence, ends])
    return str(token), datetime.fromtimestamp(ends, UTC)


def require(config: Config, job: Job | None, token: str) -> Job:
    """Return the job where the token is of a link to its archive. Raises LinkProblem."""
    try:
        told: Any = signer(config).loads(token)
    except BadSignature:
        raise LinkProblem("The link was cut, or changed.") from None
    id, fence, ends = told
    if job is None or [str(job.id), job.fence] != [id, fence] or time.time() >= ends:
        raise LinkProblem("The link has expired.")
    return job
