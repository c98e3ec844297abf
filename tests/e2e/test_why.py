"""The story of a request, out of what the services themselves have logged."""

from __future__ import annotations

import json
import time
from pathlib import Path
from uuid import uuid4

from click.testing import CliRunner

from glassware.cli.suite import main
from tests.e2e.worlds import Person, World


def test_a_failure_two_hops_away_is_told_by_one_command(
    world: World, ann: Person, tmp_path: Path
) -> None:
    request_id = uuid4().hex
    entry = {"name": "a", "service": "tasks", "path": "/fault"}
    with world.http("archives") as client:
        headers = {**ann.headers, "X-Request-Id": request_id}
        answer = client.post("/archives", json={"entries": [entry]}, headers=headers)
    assert answer.status_code == 502
    story, deadline = "", time.monotonic() + 10
    # A line is written when the answer has been sent.
    while "-> 502" not in story and time.monotonic() < deadline:
        (tmp_path / "all.jsonl").write_text("\n".join(map(json.dumps, world.log())))
        story = CliRunner().invoke(main, ["why", request_id, "--logs", str(tmp_path)]).output
    first, _, outer, inner, fault, *_ = story.splitlines()
    assert "through archives, tasks" in first
    assert "  archives  POST /archives  -> 502" in outer
    assert "    tasks  GET /fault  -> 500" in inner
    assert "ERROR  request_failed" in fault
    assert "RuntimeError: a fault on purpose" in story
