"""What only real processes can show: deaths, stops, clients that leave."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx2
import pytest

from glassware.cli.processes import free_ports, is_ready
from glassware.testing import assert_problem
from tests.e2e import worlds
from tests.e2e.sources import source

pytestmark = pytest.mark.processes
MIB = 1024**2


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[worlds.Processes]:
    """A suite of the test's own, to break."""
    # Ten thousand downloads take longer than a token usually holds.
    settings = {
        "limits.default": "",
        "archives.source_timeout": "30",
        "auth.access_lifetime": "7200",
    }
    with worlds.processes(tmp_path, settings) as running:
        yield running


def test_tokens_hold_while_auth_is_dead_and_writes_say_who_is_missing(
    suite: worlds.Processes,
) -> None:
    ann = suite.person()
    task = {"title": "before", "person": ann.url}
    with suite.http("tasks") as client:
        client.headers.update(ann.headers)
        assert client.post("/tasks", json=task).status_code == 201
        process = suite.suite.running.pop("auth")
        process.ask_to_stop()
        assert process.wait(15)
        for _ in range(10):
            began = time.monotonic()
            assert client.get("/tasks").status_code == 200
            assert time.monotonic() - began < 1, "a read waited for the dead issuer"
        refused = client.post("/tasks", json={**task, "title": "during"})
        assert "auth" in assert_problem(refused, 503, "unreachable")["detail"]
        suite.suite.start_one("auth")
        deadline = time.monotonic() + 20
        while not is_ready(suite.url("auth")) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert client.post("/tasks", json={**task, "title": "after"}).status_code == 201
        titles = [item["title"] for item in client.get("/tasks?sort=title").json()["items"]]
        assert titles == ["after", "before"], "the refused task was not half-written"


def test_a_killed_worker_is_replaced_and_nothing_written_is_lost(suite: worlds.Processes) -> None:
    ann = suite.person()
    headers = ann.headers
    written = 0
    with suite.http("tasks") as client:
        for number in range(30):
            if number % 10 == 5:
                os.kill(worker_of(suite.suite.running["tasks"].pid), signal.SIGKILL)
            try:
                body = {"title": f"t{number}", "person": ann.url}
                written += client.post("/tasks", json=body, headers=headers).status_code == 201
            except httpx2.TransportError:
                continue
        kept = client.get("/tasks?limit=200", headers=headers).json()["items"]
    assert written >= 20
    assert len(kept) >= written, "every answered write is kept"


def worker_of(master: int) -> int:
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return int(children[0])


def test_a_stopping_service_finishes_the_request_in_progress(suite: worlds.Processes) -> None:
    ann = suite.person()
    with source(suite.file_port) as files, suite.http("archives") as client:
        body = {"format": "tar", "entries": [{"name": "x", "url": f"{files.url}/blocks/400"}]}
        request = {"json": body, "headers": ann.headers}
        with client.stream("POST", "/archives", **request) as answer:
            assert answer.status_code == 200, answer.read()
            blocks = answer.iter_raw()
            size = len(next(blocks))
            suite.suite.running["archives"].ask_to_stop()
            time.sleep(0.5)
            size += sum(len(block) for block in blocks)
    assert size > 400 * 65_536


@pytest.mark.parametrize("kind", ["endless", "silent"])
def test_a_client_that_leaves_stops_the_source(suite: worlds.Processes, kind: str) -> None:
    ann = suite.person()
    with source(suite.file_port) as files, suite.http("archives") as client:
        body = {"format": "zip", "entries": [{"name": "x", "url": f"{files.url}/{kind}"}]}
        request = {"json": body, "headers": ann.headers}
        with client.stream("POST", "/archives", **request) as answer:
            blocks = answer.iter_raw()  # held: without it the client would leave here already
            next(blocks)
            assert not files.left.is_set()
        assert files.left.wait(10), "the source was still being read"
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if any(line.get("aborted") for line in suite.log()):
            return
        time.sleep(0.1)
    pytest.fail("the log does not tell that the client left")


def test_make_run_shows_its_page_and_stops_everything_at_its_end(tmp_path: Path) -> None:
    ports = free_ports(["auth", "tasks", "archives"])
    chosen = {f"GLASSWARE_{n.upper()}__SERVER__PORT": str(port) for n, port in ports.items()}
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "services").symlink_to(worlds.ROOT / "services")
    command = [sys.executable, "-m", "glassware.cli.suite", "--root", str(root), "run"]
    first = run_and_end(command, chosen, ports, press_ctrl_c)
    password = re.search(r"^  password +(\S+)$", first, re.MULTILINE)
    assert password, first
    for name, port in ports.items():
        assert f"http://127.0.0.1:{port}" in first, name
    second = run_and_end(command, chosen, ports, end_its_group)
    assert password[1] not in second, "the password is shown once"
    assert "Stopped." in second


def press_ctrl_c(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def end_its_group(process: subprocess.Popen[str]) -> None:
    """End all of its process group, as timeout(1) does: itself after what forks its programs."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGTERM)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGTERM)


def run_and_end(
    command: list[str],
    environ: dict[str, str],
    ports: dict[str, int],
    end: Callable[[subprocess.Popen[str]], None],
) -> str:
    """Run the suite until its page is there, then end it; return what was shown."""
    shown: list[str] = []
    ready = threading.Event()
    process = subprocess.Popen(
        command,
        env={**os.environ, **environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            shown.append(line)
            if "Ctrl-C stops everything" in line:
                ready.set()
        ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert ready.wait(60)
        assert process.poll() is None
        assert all(is_ready(f"http://127.0.0.1:{port}") for port in ports.values())
        end(process)
        assert process.wait(30) == 0
        assert not any(is_ready(f"http://127.0.0.1:{port}") for port in ports.values())
    finally:
        process.terminate()
        process.wait(30)
        reader.join(10)
        if not reader.is_alive():  # else a service that was left behind holds the other end
            process.stdout.close()
    return "".join(shown)


def test_the_tour_holds() -> None:
    command = [sys.executable, "-m", "glassware.cli.suite", "--root", str(worlds.ROOT), "tour"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "every answer as it must be" in done.stdout


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.large)])
def test_downloads_that_are_broken_off_leave_no_memory(suite: worlds.Processes, count: int) -> None:
    ann = suite.person()
    process = suite.suite.running["archives"]
    host = suite.url("archives").removeprefix("http://")
    headers = {**ann.headers, "Content-Type": "application/json"}
    with source(suite.file_port) as files:

        def leave(number: int) -> None:
            format = ("zip", "tar", "tar.gz", "tar.zst", "tar.xz")[number % 5]
            entries = [{"name": f"{n}", "url": f"{files.url}/blocks/40"} for n in range(3)]
            body = {"format": format, "entries": entries}
            with closing(HTTPConnection(host, timeout=30)) as connection:
                connection.request("POST", "/archives", json.dumps(body), headers)
                answer = connection.getresponse()
                assert answer.status == 200
                assert answer.read(1)

        with ThreadPoolExecutor(4) as callers:
            list(callers.map(leave, range(200)))
            for _ in range(5):  # memory that is only kept ready stops growing, a leak does not
                before = resident(process.pid)
                list(callers.map(leave, range(count)))
                deadline = time.monotonic() + 10
                while (grown := resident(process.pid) - before) >= 10 * MIB:
                    if time.monotonic() > deadline:
                        break
                    time.sleep(0.2)
                if grown < 10 * MIB:
                    return
    pytest.fail(f"{grown / MIB:.1f} MiB more after each {count} downloads")


def resident(pid: int) -> int:
    """Return the bytes of memory of a process and all that it started."""
    folder = Path("/proc", str(pid))
    pages = int((folder / "statm").read_text().split()[1])
    children = (folder / f"task/{pid}/children").read_text().split()
    return pages * os.sysconf("SC_PAGESIZE") + sum(resident(int(child)) for child in children)
