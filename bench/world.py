"""What is measured: the same tasks in a database for each peer, their servers, the requests."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID
from wsgiref.simple_server import WSGIRequestHandler, make_server

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import insert, text

from glassware.config import variable
from glassware.testing import Issuer
from glassware.testing.postgres import Postgres
from glassware_tasks.app import service
from glassware_tasks.models import Task, db

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = HERE / "peers"
THEIRS = ROOT / "build/bench-venv/bin/python"
PEOPLE, TOKEN_SCOPE = 64, "tasks:read tasks:write"
SECONDS, CLIENTS = os.environ.get("SECONDS_EACH", "1"), os.environ.get("CLIENTS", "8")
CLIENT, SECRET = "bench", "a secret of the bench"
ROUNDS = int(os.environ.get("ROUNDS", "5"))
T = TypeVar("T")


@dataclass(frozen=True)
class Peer:
    """A program to measure: its command, ``{port}`` in it, and what of the work it does."""

    name: str
    command: Sequence[str | Path]
    kinds: frozenset[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    cores: str = "0"
    #: What it must be asked beside the grant to give a token for the scope.
    form: str = ""


class Running:
    """A peer's processes, on its cores."""

    def __init__(self, peer: Peer, environ: Mapping[str, str], log: Path) -> None:
        self.peer, self.port, self.log = peer, free_port(), log
        command = [str(word).format(port=self.port) for word in peer.command]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                ["taskset", "-c", peer.cores, *command],
                env={**os.environ, **environ, **peer.environ},
                cwd=PEERS,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until it answers. Raises RuntimeError."""
        deadline = time.monotonic() + 40
        while True:
            try:
                if self.ask(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")[0] < 500:
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.peer.name}: {self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def ask(self, request: bytes) -> tuple[int, Mapping[str, str], Any]:
        """Return status, headers and body of the answer to a request as it goes over the wire."""
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        headers["Host"] = f"127.0.0.1:{self.port}"
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, target, body or None, headers)
            answer = connection.getresponse()
            data = answer.read().replace(f"http://127.0.0.1:{self.port}".encode(), b"")
            return answer.status, dict(answer.getheaders()), data

    def cpu(self) -> float:
        """Return the seconds of processor time that its processes have had."""
        ticks = 0
        for stat in self.stats():
            ticks += int(stat[11]) + int(stat[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return the MiB that its processes hold, what they share counted once."""
        total = 0
        for stat in self.stats():
            rollup = Path(f"/proc/{stat[-1]}/smaps_rollup").read_text()
            total += int(rollup.partition("\nPss:")[2].split()[0])
        return total / 1024

    def resident(self) -> dict[int, float]:
        """Return the MiB that each of its processes holds, by PID; what they share, in each."""
        found = {}
        for stat in self.stats():
            status = Path(f"/proc/{stat[-1]}/status").read_text()
            found[int(stat[-1])] = int(status.partition("\nVmRSS:")[2].split()[0]) / 1024
        return found

    def stats(self) -> Iterator[list[str]]:
        """Yield the fields of /proc/PID/stat after the name, and the PID, for each process."""
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(words[2]) == self.process.pid:
                yield [*words, path.parent.name]

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)


class World:
    """Tasks of 64 people, an issuer of their tokens, and the requests that they make."""

    def __init__(self, folder: Path, rows: int = 10_000, cluster: Postgres | None = None) -> None:
        self.folder, self.rows, self.cluster = folder, rows, cluster
        self.secrets: dict[str, str] = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        port = free_port()
        self.issuer = Issuer(f"http://127.0.0.1:{port}")
        self.web = make_server("127.0.0.1", port, self.issuer, handler_class=Silent)
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        pem = self.issuer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "key.pem").write_bytes(pem)
        chance = random.Random(6)
        self.people = [UUID(int=chance.getrandbits(128), version=4) for _ in range(PEOPLE)]
        self.tokens = {
            who: self.issuer.token(str(who), TOKEN_SCOPE, exp=int(time.time()) + 36_000)
            for who in self.people
        }
        self.tasks: dict[UUID, list[UUID]] = {who: [] for who in self.people}
        self.seed(chance)

    def seed(self, chance: random.Random) -> None:
        """Make the database from which every peer is given a copy."""
        self.copy("template1", "seed")
        settings = self.settings("seed")
        app = service.create_app(settings, environ={})
        rows = self.made(chance)
        with app.app_context():
            db.create_all()
            while batch := list(islice(rows, 10_000)):
                # To the ORM every third row, which is due at no time, would be a group of its own.
                db.session.execute(insert(Task.__table__), batch)
            db.session.execute(text(
                "CREATE TABLE bench_clients"
                " (client_id varchar(100) PRIMARY KEY, secret varchar(100), scope varchar(100))"
            ))  # fmt: skip
            row = {"name": CLIENT, "secret": stored_secret(), "scope": "tasks:read"}
            db.session.execute(
                text("INSERT INTO bench_clients VALUES (:name, :secret, :scope)"), row
            )
            db.session.commit()
            db.close()

    def made(self, chance: random.Random) -> Iterator[dict[str, Any]]:
        """Yield the tasks, one person after the other."""
        start = datetime(2026, 1, 1, 8, 0, 0, 123456, tzinfo=UTC)
        for number in range(self.rows):
            who = self.people[number % PEOPLE]
            id = UUID(int=(number << 80) + chance.getrandbits(64), version=4)
            self.tasks[who].append(id)
            moment = start + timedelta(minutes=number)
            yield {
                "id": id,
                "version": 1,
                "title": f"Write the minutes of meeting {number}",
                "person_id": who,
                "due_to": None if number % 3 == 0 else moment + timedelta(days=9),
                "done": number % 5 == 0,
                "created_at": moment,
                "updated_at": moment,
            }

    def url(self, name: str) -> str:
        if self.cluster is None:
            return f"sqlite:///{self.folder / name}.sqlite"
        return f"postgresql+psycopg://postgres@/{name}?host={self.cluster.folder}"

    def copy(self, source: str, name: str) -> None:
        """Make a database like another one."""
        if self.cluster is not None:
            statement = f'CREATE DATABASE "{name}" TEMPLATE "{source}"'
            words = ("-X", "-q", "-h", self.cluster.folder, "-U", "postgres", "-c", statement)
            self.cluster.run("psql", *words)
        elif name != "seed":
            with (
                closing(sqlite3.connect(self.folder / f"{source}.sqlite")) as seed,
                closing(sqlite3.connect(self.folder / f"{name}.sqlite")) as target,
            ):
                seed.backup(target)

    def settings(self, name: str) -> dict[str, str]:
        return {
            "service.mode": "development",
            "service.state_dir": str(self.folder),
            "service.secrets_dir": str(self.folder / "secrets"),
            "database.url": self.url(name),
            "auth.issuer": self.issuer.issuer,
            "siblings.auth": self.issuer.issuer,
            "limits.default": "999999999/second",
            "limits.storage": "memory://",
            "server.cors_origins": "",
            "server.workers": "1",
        }

    def start(self, peer: Peer) -> Running:
        """Start a peer on a copy of the database."""
        name = peer.name.replace(" ", "-")
        self.copy("seed", name)
        environ = {
            "BENCH_DATABASE": self.url(name),
            "BENCH_ISSUER": self.issuer.issuer,
            "BENCH_KEY": str(self.folder / "key.pem"),
            "PYTHONPATH": str(PEERS),
        }
        for option, value in self.settings(name).items():
            environ[variable("tasks", option)] = value
        if peer.name.startswith("auth"):
            environ |= self.prepare_auth(peer)
        return Running(peer, environ, self.folder / f"{name}.log")

    def prepare_auth(self, peer: Peer) -> dict[str, str]:
        """Return the environment of our auth service, which knows a client of ours."""
        state = self.folder / peer.name.replace(" ", "-")
        environ = {
            "GLASSWARE_AUTH__SERVICE__STATE_DIR": str(state),
            "GLASSWARE_AUTH__LIMITS__STORAGE": "",
            "GLASSWARE_AUTH__SERVER__CORS_ORIGINS": "",
            "GLASSWARE_AUTH__SERVER__WORKERS": "1",
        }
        manage = [sys.executable, ROOT / "services/auth/manage.py"]
        for words in (
            ["db", "upgrade"],
            ["clients", "create", CLIENT, "--scopes", "tasks:read", "--json"],
        ):
            done = subprocess.run(
                [*manage, *words], env={**os.environ, **environ}, capture_output=True, check=True
            )
        self.secrets[peer.name] = json.loads(done.stdout)["client_secret"]
        return environ

    def requests(self, kind: str, peer: Peer, count: int = 256) -> list[bytes]:
        """Return requests of a kind as they go over the wire."""
        chance = random.Random(kind)
        if kind == "health":
            return [raw("GET", "/health/live")]
        if kind == "token":
            return [self.token_request(peer)]
        found = []
        for number in range(count):
            who = self.people[number % PEOPLE]
            id = chance.choice(self.tasks[who])
            found.append(self.one(kind, who, id, number))
        return found

    def token_request(self, peer: Peer) -> bytes:
        secret = self.secrets.get(peer.name, SECRET)
        basic = b64encode(f"{CLIENT}:{secret}".encode()).decode()
        headers = {
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = f"grant_type=client_credentials{peer.form}"
        return raw("POST", "/oauth/token", headers, form.encode())

    def one(self, kind: str, who: UUID, id: UUID, number: int) -> bytes:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        if kind == "401":
            return raw("GET", f"/tasks/{id}")
        if kind == "one":
            return raw("GET", f"/tasks/{id}", headers)
        if kind == "page":
            return raw("GET", "/tasks?limit=50", headers)
        if kind == "xml":
            return raw("GET", "/tasks?limit=50", {**headers, "Accept": "application/xml"})
        headers |= {"Content-Type": "application/json", "If-Match": "*"}
        body = {
            "title": f"Read the minutes of meeting {number}",
            "person": f"{self.issuer.issuer}/users/{who}",
            "due_to": "2026-12-24T18:00:00.5Z",
            "done": False,
        }
        target = ("POST", "/tasks") if kind == "post" else ("PUT", f"/tasks/{id}")
        return raw(*target, headers, json.dumps(body).encode())

    def close(self) -> None:
        """Leave nothing behind."""
        self.web.shutdown()
        shutil.rmtree(self.folder)


class Silent(WSGIRequestHandler):
    """Says nothing of the requests."""

    def log_message(self, *_: object) -> None:
        return


def stored_secret() -> str:
    """Return the digest by which the peers know their client."""
    from hashlib import sha256
    from hmac import digest

    return digest(b"the server's key", SECRET.encode(), sha256).hex()


def raw(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def in_turn(things: Sequence[T], number: int) -> Iterable[T]:
    """Return the things as a round takes them: there, back, there ..."""
    return things if number % 2 == 0 else reversed(things)


def measure(
    each: Running, requests: Path, clients: str = CLIENTS, seconds: str = SECONDS
) -> dict[str, float]:
    """Return what wrk says, and the microseconds of processor time for a request."""
    before = each.cpu()
    words = ["taskset", "-c", "1", "wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "-s"]
    url = f"http://127.0.0.1:{each.port}"
    done = subprocess.run(
        [*words, HERE / "load.lua", url, "--", requests], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.strip().splitlines()[-1])
    found["rate"] = found["requests"] / found["seconds"]
    found["cpu"] = (each.cpu() - before) / max(1, found["requests"]) * 1e6
    return found
