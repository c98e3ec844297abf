"""``glassware why``: the logs of all services, told as one story."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from glassware.cli.suite import main
from glassware.client.transports.layer import Layer
from glassware.observe.logging import configure
from glassware.testing import Mesh
from glassware_archives.app import service as archives
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks

Line = dict[str, Any]
Why = Callable[..., str]
ACCOUNT = {"email": "ann@example.org", "password": "correct horse battery staple"}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Line]]:
    """What the services log of requests: whole, failed, odd, and one that finds no neighbour."""
    path, root = tmp_path_factory.mktemp("log") / "all", logging.getLogger()
    before = root.handlers[:], root.level
    try:
        with path.open("w") as stream:
            configure("mesh", "INFO", stream)
            mesh = Mesh([auth, tasks, archives])
            mesh.transports["auth"] = Way(mesh.transports["auth"])
            with mesh:
                ask(mesh)
        yield [json.loads(line) for line in path.read_text().splitlines()]
    finally:
        root.handlers[:], root.level = before


class Way(Layer):
    """The way to the auth service, on which calls for people may get lost."""

    lost = False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request on its way."""
        if self.lost and request.url.path.startswith("/users/"):
            raise httpx2.ConnectError("nobody listens", request=request)
        return self.inner.handle_request(request)


def ask(mesh: Any) -> None:
    people, work, packer = (mesh.client(name) for name in ("auth", "tasks", "archives"))
    ann = people.post("/users", json={**ACCOUNT, "name": "Ann"}).json()
    people.post(ann["activation"])
    token = people.post("/login", json=ACCOUNT).json()["access_token"]

    def headers(request_id: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}", "X-Request-Id": request_id}

    body = {"title": "a", "person": ann["url"]}
    assert work.post("/tasks", json=body, headers=headers("whole")).status_code == 201
    entries = [
        {"name": path[1:], "service": "tasks", "path": path} for path in ("/tasks", "/fault")
    ]
    failed = packer.post("/archives", json={"entries": entries}, headers=headers("failed"))
    assert failed.status_code == 502
    people.get("/%1b[2J%0a", headers={"X-Request-Id": "odd"})
    mesh.transports["auth"].lost = True
    assert work.post("/tasks", json=body, headers=headers("alone")).status_code == 503


@pytest.fixture
def why(tmp_path: Path, lines: list[Line]) -> Why:
    """Run the command in a checkout where each service has its log."""
    logs = tmp_path / "var" / "log"
    logs.mkdir(parents=True)
    (logs / "noise.jsonl").write_bytes(b'not a line\n[1]\n{"request_id": "whole"\n\xff\n')
    for name in ("auth", "tasks", "archives"):
        own = [json.dumps(line) for line in lines if line["service"] == name]
        (logs / f"{name}.jsonl").write_text("\n".join(own) + "\n")

    def run(*words: str, expect: int = 0, **kwargs: Any) -> str:
        done = CliRunner().invoke(main, ["--root", str(tmp_path), "why", *words], **kwargs)
        assert done.exit_code == expect, done.output
        return done.output

    return run


def shape(story: str) -> list[tuple[str, str]]:
    """Return the depth and the beginning of each line with a time."""
    found = re.findall(r"^ *[\d,]+\.\d ms  ( *)(\S+  \S+ \S+  -> \S+|\S+)", story, re.M)
    return [(len(blanks) // 2 * ".", text) for blanks, text in found]


def test_a_request_is_told_hop_by_hop_where_it_was_asked_for(why: Why, lines: list[Line]) -> None:
    (asked,) = {
        line["path"]
        for line in lines
        if line.get("request_id") == "whole" and line["service"] == "auth"
    }
    story = why("whole")
    assert story.splitlines()[0].endswith("UTC, through tasks, auth")
    assert shape(story) == [
        ("", "tasks  POST /tasks  -> 201"),
        (".", f"auth  GET {asked}  -> 200"),
    ]


def test_times_and_durations_are_those_of_the_log(why: Why, lines: list[Line]) -> None:
    ends = [
        line for line in lines if line["event"] == "request" and line.get("request_id") == "failed"
    ]
    story = why("failed")
    for line in ends:
        assert f"{line['path']}  -> {line['status']}  {line['seconds'] * 1000:,.1f} ms" in story
    shown = re.findall(r"^ *([\d,]+\.\d) ms", story, re.M)
    offsets = [float(each.replace(",", "")) for each in shown]
    assert offsets == sorted(offsets)
    assert offsets[0] == 0
    whole = max(line["seconds"] for line in ends) * 1000
    assert offsets[-1] <= whole + 1


def test_a_line_that_was_written_late_is_told_where_it_belongs(
    why: Why, lines: list[Line], tmp_path: Path
) -> None:
    """A busy machine writes that a request has ended when a while has gone by."""
    late = [
        {**line, "ts": (datetime.fromisoformat(line["ts"]) + timedelta(seconds=5)).isoformat()}
        if line["service"] == "archives" or line["event"] == "neighbour_called"
        else line
        for line in lines
    ]
    log = tmp_path / "late.jsonl"
    log.write_text("\n".join(map(json.dumps, late)))
    story = why("failed", "--logs", str(log))
    assert story.splitlines()[0].endswith("UTC, through archives, tasks")
    assert sorted(shape(story)) == sorted(shape(why("failed")))
    assert shape(story)[0] == ("", "archives  POST /archives  -> 502")
    offsets = [float(each) for each in re.findall(r"^ *([\d.]+) ms", story, re.M)]
    assert offsets == sorted(offsets)
    assert offsets[0] == 0


def test_what_went_wrong_is_told_at_every_hop_with_its_cause(why: Why) -> None:
    story = why("failed")
    first, *hops = shape(story)
    assert first == ("", "archives  POST /archives  -> 502")
    well = (".", "tasks  GET /tasks  -> 200")
    failed = [(".", "tasks  GET /fault  -> 500"), ("..", "ERROR")]
    assert hops in ([well, *failed], [*failed, well]), "fetched at once, so either may be first"
    told = [line.strip() for line in story.splitlines()]
    at = told.index("RuntimeError: a fault on purpose")
    assert re.fullmatch(r'File ".*/api/system.py", line \d+, in get', told[at + 1])
    internal = "tasks 500 Internal error  http://127.0.0.1:7002/problems/internal"
    upstream = "archives 502 A neighbour failed  http://127.0.0.1:7003/problems/upstream"
    for one, other in (
        (f"problem  {internal}", f"problem  {upstream}"),
        (f"problem  {upstream}", f"because  {internal}"),
        (f"because  {internal}", "detail   tasks answered GET /fault with 500."),
    ):
        assert told.index(one) < told.index(other)


def test_a_neighbour_that_does_not_answer_is_told_for_every_try(why: Why) -> None:
    story = why("alone")
    tries = re.findall(r"asked auth  GET /users/\S+  -> ConnectError  [\d.,]+ ms  no answer", story)
    assert len(tries) == 3
    assert "problem  tasks 503 A neighbour is unreachable" in story


def test_a_hop_without_its_end_and_one_without_its_lines_are_told(
    why: Why, lines: list[Line], tmp_path: Path
) -> None:
    log = tmp_path / "cut.jsonl"
    kept = [line for line in lines if (line["service"], line["event"]) != ("tasks", "request")]
    log.write_text("\n".join(map(json.dumps, kept)))
    assert "tasks  has not ended" in why("failed", "--logs", str(log))
    log.write_text("\n".join(json.dumps(each) for each in lines if each["service"] == "tasks"))
    story = why("whole", "--logs", str(log))
    assert "its own lines are not here" in story
    assert "auth  GET" in story


def test_nothing_that_a_terminal_obeys_is_printed(why: Why) -> None:
    story = why("odd")
    assert "\x1b" not in story
    assert "GET /\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}  -> 404" in story


def test_an_unknown_id_says_what_to_do(why: Why) -> None:
    said = why("nobody-sent-this", expect=1)
    assert "no line of the request nobody-sent-this in " in said
    for word in ("tasks.jsonl", "X-Request-Id", "--logs", "--journal", "log.level"):
        assert word in said


def journal(lines: list[Line]) -> str:
    """Return the lines as `journalctl -o json` has them: some as bytes, between others."""
    entries: list[Any] = [{"MESSAGE": "Started."}, {"MESSAGE": None}, {"_PID": "1"}]
    for number, line in enumerate(lines):
        text = json.dumps(line)
        entries.append({"MESSAGE": [*text.encode()] if number % 2 else text, "_PID": "7"})
    return "\n".join(map(json.dumps, entries)) + "\n"


def test_a_journal_tells_the_same(why: Why, lines: list[Line], tmp_path: Path) -> None:
    for request_id in ("whole", "failed", "alone"):
        exported = tmp_path / "journal"
        exported.write_text(journal(lines))
        assert why(request_id, "--journal", str(exported)) == why(request_id)
        assert why(request_id, "--journal", "-", input=journal(lines)) == why(request_id)


def test_where_no_service_writes_a_file_the_journal_is_asked(
    why: Why, lines: list[Line], tmp_path: Path
) -> None:
    expected = why("failed")
    for path in (tmp_path / "var" / "log").iterdir():
        path.unlink()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "journalctl"
    (tmp_path / "journal").write_text(journal(lines))
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat {tmp_path}/journal\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    environ = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    assert why("failed", env=environ) == expected
    assert (tmp_path / "asked").read_text().split() == [
        *("-o", "json", "-u", "glassware-*", "--grep=failed"),
    ]
    program.unlink()
    said = why("failed", env={"PATH": str(program.parent)}, expect=1)
    assert "name them by --logs" in said
