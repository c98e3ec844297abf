"""The production server as systemd starts and stops it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from glassware.cli.server import LINGER

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "services/archives/manage.py"
#: systemd's protocol: the sockets are descriptors from 3 on, meant for the process that execs.
STARTER = """
import os, sys
for wanted, given in enumerate(map(int, sys.argv[2].split(",")), 3):
    os.dup2(given, wanted, inheritable=True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(wanted - 2)}
os.execv(sys.executable, [sys.executable, sys.argv[1], "runserver", "--port", "1"])
"""


class UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self.path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


#: Seconds: a start takes one, on a machine that has time for it.
PATIENCE = 60
#: The state of a socket that listens, in /proc/net/tcp.
LISTENS = "0A"


class Started:
    """The service with two sockets that it was given: one of the network, one of the machine."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.path = folder / "service.sock"
        self.network = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.local = socket.socket(socket.AF_UNIX)
        self.local.bind(str(self.path))
        self.local.listen(64)
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(str(folder / "notify.sock"))
        self.environ = {
            "NOTIFY_SOCKET": str(folder / "notify.sock"),
            "GLASSWARE_ARCHIVES__SERVICE__STATE_DIR": str(folder / "state"),
            "GLASSWARE_ARCHIVES__SERVER__KIND": kind,
            "GLASSWARE_ARCHIVES__SERVER__WORKERS": "1",
        }
        self.start()

    def start(self) -> None:
        """Start the server, and wait until a worker can serve."""
        given = [self.network.fileno(), self.local.fileno()]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", STARTER, str(SERVICE), ",".join(map(str, given))],
                env={**os.environ, **self.environ},
                pass_fds=given,
                stderr=log,
            )
        self.leader = self.process.pid
        assert self.told("READY") == "1"

    def by_network(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.network.getsockname()[1], timeout=PATIENCE)

    def waiting(self) -> int:
        """Return how many have connected by the network whom nobody has accepted."""
        address = f"0100007F:{self.network.getsockname()[1]:04X}"
        sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        (queues,) = [each[4] for each in sockets if each[1] == address and each[3] == LISTENS]
        return int(queues.partition(":")[2], 16)

    def told(self, name: str, seconds: float = PATIENCE) -> str | None:
        """Return the value of the next notice by that name, None where systemd would get none."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.notices.settimeout(left)
            with suppress(TimeoutError):
                for line in self.notices.recv(4096).decode().splitlines():
                    if line.startswith(f"{name}="):
                        return line.partition("=")[2]
        return None

    def hand_over(self) -> None:
        """Have the server replaced by a new one, and wait until that leads and the old is gone."""
        old = self.leader
        os.kill(old, signal.SIGUSR2)
        told = self.told("MAINPID")
        assert told is not None
        self.leader = int(told)
        assert parent(self.leader) != old, "systemd looks after its own children only"
        wait_for_end(old)

    def end_process(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.leader, signal.SIGTERM)
        wait_for_end(self.leader)
        self.process.wait(PATIENCE)

    def end(self) -> None:
        self.end_process()
        for each in (self.network, self.local, self.notices):
            each.close()


def wait_for_end(pid: int) -> None:
    """Wait until the process is gone, or waits to be reaped."""
    status, deadline = Path(f"/proc/{pid}/stat"), time.monotonic() + PATIENCE
    with suppress(FileNotFoundError):
        while status.read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.05)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def live(connection: HTTPConnection) -> int:
    connection.request("GET", "/health/live")
    answer = connection.getresponse()
    answer.read()
    return answer.status


@pytest.fixture(params=["gunicorn", "granian"])
def started(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Started]:
    started = Started(tmp_path, request.param)
    yield started
    started.end()


@pytest.mark.processes
def test_it_listens_where_systemd_does_and_nowhere_else(started: Started) -> None:
    for connection in (started.by_network(), UnixConnection(started.path)):
        with closing(connection):
            assert live(connection) == 200
    with pytest.raises(ConnectionRefusedError):
        HTTPConnection("127.0.0.1", 1, timeout=5).connect()


@pytest.mark.processes
def test_no_thread_of_a_worker_interrupts_another(started: Started) -> None:
    with closing(started.by_network()) as connection:
        assert live(connection) == 200
    children = Path(f"/proc/{started.leader}/task/{started.leader}/children").read_text().split()
    threads = [path.name for child in children for path in Path(f"/proc/{child}/task").iterdir()]
    assert threads
    assert {os.sched_getscheduler(int(thread)) for thread in threads} == {os.SCHED_BATCH}


@pytest.mark.processes
def test_an_idle_connection_does_not_hold_up_a_restart(started: Started) -> None:
    with closing(started.by_network()) as idle:
        assert live(idle) == 200
        began = time.monotonic()
        started.process.send_signal(signal.SIGTERM)
        assert idle.sock.recv(1) == b""
        assert time.monotonic() - began < 1.5
    assert started.process.wait(20) == 0


@pytest.mark.processes
def test_a_new_program_takes_over_while_callers_call(started: Started) -> None:
    answers: list[int] = []
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            for connection in (started.by_network(), UnixConnection(started.path)):
                with closing(connection):
                    answers.append(live(connection))

    caller = threading.Thread(target=call)
    caller.start()
    try:
        for _ in range(2):
            started.hand_over()
    finally:
        over.set()
        caller.join(20)
    assert len(answers) > 4
    assert set(answers) == {200}
    assert started.process.wait(20) == 0


@pytest.mark.processes
def test_no_request_is_lost_over_restarts(started: Started) -> None:
    answers: list[int | Exception] = []
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            try:
                with closing(started.by_network()) as connection:
                    answers.append(live(connection))
            except Exception as error:
                answers.append(error)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        for _ in range(2):
            time.sleep(0.3)
            started.end_process()
            started.start()
        deadline = time.monotonic() + PATIENCE
        while len(answers) <= 100 and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        over.set()
        for caller in callers:
            caller.join(PATIENCE)
    assert len(answers) > 100
    assert set(answers) == {200}


@pytest.mark.processes
def test_who_connects_is_answered_by_the_server_that_stops_or_by_the_next(started: Started) -> None:
    for _ in range(10):
        with closing(started.by_network()) as early, closing(started.by_network()) as late:
            early.connect()
            with closing(started.by_network()) as other:
                assert live(other) == 200  # so the early one is accepted, too
            os.kill(started.leader, signal.SIGTERM)
            told = time.monotonic()
            while not started.waiting():  # until then it takes everybody on
                late.close()
                late.connect()
                time.sleep(0.01)
            in_time = time.monotonic() - told < LINGER / 2
            if in_time:
                assert live(early) == 200
            started.end_process()
            started.start()
            assert live(late) == 200
            if in_time:
                return
    pytest.fail("this machine never asked as soon as a caller has to")


@pytest.mark.processes
def test_a_program_that_cannot_start_never_takes_over(started: Started, tmp_path: Path) -> None:
    with closing(started.by_network()) as connection:
        assert live(connection) == 200
        (tmp_path / "state/secrets/app.secret_key").write_text("")
        os.kill(started.leader, signal.SIGUSR2)
        deadline = time.monotonic() + 20
        while b"is empty" not in (tmp_path / "log").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert started.told("MAINPID", 0.5) is None
        assert live(connection) == 200
