"""Those who use the machine: callers through its web server, and what they are shown."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import Machine

DOMAIN = "glassware.example"
SERVICES = ("archives", "auth", "tasks")
CERTIFICATE = Path(f"/etc/letsencrypt/live/{DOMAIN}/fullchain.pem")
CURL = ["curl", "-sS", "-m", "30", "--cacert", str(CERTIFICATE)]
LOAD = Path(__file__).with_name("load.py")
FACTS = """
import json, sqlite3
found = {}
for service, table in (("auth", "users"), ("tasks", "tasks")):
    base = sqlite3.connect(f"file:/var/lib/glassware/{service}/{service}.sqlite?mode=ro", uri=True)
    ask = lambda query: base.execute(query).fetchone()[0]
    found[service] = ask(f"SELECT count(*) FROM {table}")
    found[service + ".integrity"] = ask("PRAGMA integrity_check")
    found[service + ".schema"] = ask("SELECT version_num FROM alembic_version")
print(json.dumps(found))
"""


class Wrong(Exception):
    """Something is not as it must be."""


def require(holds: object, otherwise: str) -> None:
    """Raise Wrong unless it holds."""
    if not holds:
        raise Wrong(otherwise)


@dataclass
class Caller:
    """A program that calls the services on the machine, with a token."""

    machine: Machine
    token: str = ""

    def ask(
        self,
        method: str,
        service: str,
        path: str,
        *,
        body: object = None,
        expect: int = 200,
        **headers: str,
    ) -> str:
        """Send a request through the web server. Raises Wrong for another status than expected."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            given.setdefault("Authorization", f"Bearer {self.token}")
        text = body if isinstance(body, str) else json.dumps(body)
        if not isinstance(body, str):
            given.setdefault("Content-Type", "application/json")
        words = [word for name, value in given.items() for word in ("-H", f"{name}: {value}")]
        sent = ["--data-binary", "@-"] if body is not None else []
        command = [*CURL, "-X", method, *words, *sent, "-w", "\n%{http_code}"]
        url = f"https://{service}.{DOMAIN}{path}"
        done = self.machine.run(*command, url, input=text)
        answer, _, status = done.stdout.rpartition("\n")
        require(status == str(expect), f"{method} {path} answered {status}: {answer[:500]}")
        return answer

    def get_token(self, client: dict[str, str]) -> None:
        """Get a token by the client's credentials, and use it from now on."""
        self.token = ""
        form = "grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}"
        kind = "application/x-www-form-urlencoded"
        answer = self.ask("POST", "auth", "/oauth/token", body=form.format(**client),
                          Content_Type=kind)  # fmt: skip
        self.token = json.loads(answer)["access_token"]


def wait_until_ready(machine: Machine, seconds: float = 30) -> None:
    """Wait until every service says that it can work. Raises Wrong."""
    deadline = time.monotonic() + seconds
    caller = Caller(machine)
    for service in SERVICES:
        while True:
            try:
                caller.ask("GET", service, "/health/ready")
                break
            except Wrong as problem:
                if time.monotonic() > deadline:
                    raise Wrong(f"{service} is not ready: {problem}") from None
                time.sleep(0.1)


@dataclass
class Load:
    """What became of the requests that were sent while something happened."""

    sent: int = 0
    failed: int = 0
    written: int = 0
    longest: tuple[float, str, str] = (0.0, "", "")
    outcomes: dict[str, int] | None = None


@contextmanager
def load(caller: Caller, person: str, *words: str) -> Iterator[Load]:
    """Have callers at work meanwhile; afterwards the yielded Load says how they fared."""
    machine, found = caller.machine, Load()
    machine.write("/root/load.py", LOAD.read_text())
    command = machine.enter("python3", "/root/load.py", caller.token, person, *words)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.5)
    try:
        yield found
        time.sleep(0.5)
    finally:
        told, _ = process.communicate(timeout=60)
    for name, value in json.loads(told).items():
        setattr(found, name, value)


def facts(machine: Machine) -> dict[str, Any]:
    """Return what must survive everything: how many rows there are, and of which schema.

    Raises Wrong where a database is damaged.
    """
    found: dict[str, Any] = json.loads(machine.run("python3", "-c", FACTS).stdout)
    for service in ("auth", "tasks"):
        whole = found.pop(f"{service}.integrity")
        require(whole == "ok", f"the database of {service} is damaged: {whole}")
    return found
