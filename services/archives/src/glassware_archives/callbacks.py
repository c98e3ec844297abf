"""Callbacks: who ordered an archive is told that it is done, by a signed request to their URL."""

from __future__ import annotations

import time
from typing import Any

from glassware.api import runtime
from glassware.client.webhook import signed
from glassware.db import now
from glassware.jobs import Run, job
from glassware.jobs.resources import absolute
from glassware.media import json
from glassware.problems import InvalidProblem, UpstreamProblem

#: What an endpoint answers that wants no more of them.
GONE = 410


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
