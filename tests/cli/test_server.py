"""The production server as systemd starts and stops it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

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


class Started:
    """The service with two sockets that it was given: one of the network, one of the machine."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "service.sock"
        self.network = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.local = socket.socket(socket.AF_UNIX)
        self.local.bind(str(self.path))
        self.local.listen(64)
        given = [self.network.fileno(), self.local.fileno()]
        self.process = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(SERVICE), ",".join(map(str, given))],
            env={**os.environ, "GLASSWARE_ARCHIVES__SERVICE__STATE_DIR": str(folder / "state")},
            pass_fds=given,
            stderr=subprocess.PIPE,
        )

    def by_network(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.network.getsockname()[1], timeout=20)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)
        self.network.close()
        self.local.close()


def live(connection: HTTPConnection) -> int:
    connection.request("GET", "/health/live")
    answer = connection.getresponse()
    answer.read()
    return answer.status


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path)
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
def test_an_idle_connection_does_not_hold_up_a_restart(started: Started) -> None:
    with closing(started.by_network()) as idle:
        assert live(idle) == 200
        began = time.monotonic()
        started.process.send_signal(signal.SIGTERM)
        assert idle.sock.recv(1) == b""
        assert time.monotonic() - began < 1.5
    _, errors = started.process.communicate(timeout=20)
    assert started.process.returncode == 0, errors.decode()
