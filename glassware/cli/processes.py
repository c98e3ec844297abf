"""The suite as real processes: prepare every service, start it, watch it, stop it."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx2

from glassware.cli import programs
from glassware.cli.programs import Captured, Program
from glassware.config import variable
from glassware.service import Service

START_TIMEOUT, STOP_TIMEOUT, COMMAND_TIMEOUT = 30.0, 15.0, 120.0


class SuiteError(Exception):
    """A step that broke; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Member:
    """One service of the suite: its declaration, its folder in the checkout, its port."""

    service: Service
    folder: Path
    port: int

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Suite:
    """Every ``services/*/manage.py`` below ``root``, with its state below ``state``.

    ``settings`` are options by name, given to each service that declares them.
    """

    def __init__(
        self,
        root: Path,
        state: Path,
        *,
        ports: Mapping[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.state = state
        self.settings = dict(settings or {})
        folders = sorted(path.parent for path in root.glob("services/*/manage.py"))
        if not folders:
            raise SuiteError(f"There is no services/*/manage.py below {root}: run from a checkout.")
        programs.load([application(folder) for folder in folders])
        members = [member(folder, state / folder.name, ports or {}) for folder in folders]
        self.members = {each.name: each for each in members}
        self.running: dict[str, Program] = {}

    def environ(self) -> dict[str, str]:
        """Return the environment that ties the members to each other."""
        added: dict[str, str] = {}
        services = ", ".join(f"{each.name}={each.url}" for each in self.members.values())
        for each in self.members.values():
            known = {option.name for option in each.service.declared()}
            options = {
                "service.state_dir": str(self.state / each.name),
                "server.port": str(each.port),
                "auth.issuer": self.members["auth"].url,
                "suite.services": services,
                **{f"siblings.{name}": self.members[name].url for name in each.service.siblings},
                **{name: value for name, value in self.settings.items() if name in known},
            }
            added |= {variable(each.name, name): value for name, value in options.items()}
        return {**os.environ, **added}

    def log(self, name: str) -> Path:
        return self.state / "log" / f"{name}.jsonl"

    def manage(self, name: str, *words: str) -> str:
        """Run a ``manage.py`` command and return what it printed. Raises SuiteError."""
        return self.begin(name, *words)()

    def begin(self, name: str, *words: str) -> Callable[[], str]:
        """Start a ``manage.py`` command; return what waits for it, and does as ``manage`` does."""
        command = Captured(self.script(name), words, self.environ())

        def wait() -> str:
            status, output, errors = command.result(COMMAND_TIMEOUT)
            if status:
                shown = " ".join(words)
                raise SuiteError(
                    f"{name}: `manage.py {shown}` failed.\n{errors.strip()[-2000:]}\n"
                    f"Type services/{name}/manage.py {shown} to see it alone."
                )
            return output

        return wait

    def script(self, name: str) -> Path:
        return self.members[name].folder / "manage.py"

    def prepare(self) -> None:
        """Bring every database to its newest migration. Raises SuiteError."""
        self.check_ports()
        stored = [name for name, each in self.members.items() if each.service.database is not None]
        for upgraded in [self.begin(name, "db", "upgrade") for name in stored]:
            upgraded()
        for name, each in self.members.items():
            introduce(each.service, self.state / name / "secrets", partial(self.manage, "auth"))

    def check_ports(self) -> None:
        """Raise SuiteError for a port that another program listens on."""
        for each in self.members.values():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", each.port))
                except OSError:
                    raise SuiteError(
                        f"{each.name}: port {each.port} is taken by another program.\n"
                        f"Stop that program (is another suite running?), or choose another port:\n"
                        f"  {variable(each.name, 'server.port')}={each.port + 100} make run"
                    ) from None

    def start(self) -> dict[str, Any]:
        """Start every service, wait until each is ready, and return the first administrator.

        Raises SuiteError.
        """
        for name in self.members:
            self.start_one(name)
        made = self.manage("auth", "users", "create-first-admin", "--json")
        self.wait()
        first: dict[str, Any] = json.loads(made)
        return first

    def wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        for each in self.members.values():
            while not is_ready(each.url):
                self.require_running()
                if time.monotonic() > deadline:
                    raise SuiteError(self.story(each.name, "is not ready after 30 s"))
                time.sleep(0.05)

    def start_one(self, name: str) -> None:
        """Start one service, and a worker for its jobs where it has some."""
        self.launch(name, name, "runserver")
        if self.members[name].service.jobs is not None:
            self.launch(f"{name}-worker", name, "worker")

    def launch(self, process: str, name: str, verb: str) -> None:
        """Start a process; its log goes to the service's file, and its process group is its own."""
        self.log(name).parent.mkdir(parents=True, exist_ok=True)
        files = (self.log(name), self.log(name))
        self.running[process] = Program(self.script(name), [verb], self.environ(), *files)

    def require_running(self) -> None:
        for name, process in self.running.items():
            if process.status is not None:
                why = f"stopped with status {process.status}"
                raise SuiteError(self.story(name.removesuffix("-worker"), why))

    def story(self, name: str, what: str) -> str:
        last = self.log(name).read_text(errors="replace").splitlines()[-5:]
        return "\n".join(
            [f"{name} {what}. The end of {self.log(name)}:", *(f"  {line[:500]}" for line in last)]
        )

    def watch(self) -> None:
        """Return never; raise SuiteError when a service dies."""
        while True:
            self.require_running()
            time.sleep(0.5)

    def stop(self) -> None:
        """Ask every service to finish its requests; end what does not."""
        for process in self.running.values():
            process.ask_to_stop()
        deadline = time.monotonic() + STOP_TIMEOUT
        for process in self.running.values():
            if not process.wait(max(0.1, deadline - time.monotonic())):
                process.kill()
        self.running.clear()


def introduce(service: Service, secrets: Path, manage: Callable[..., str]) -> None:
    """Make a service that acts for people a client of the issuer, once, as its operator would."""
    path = secrets / "auth.client_secret"
    if not service.delegation or path.exists():
        return
    given = ["create", service.name, "--delegate", "--scopes", " ".join(service.delegation)]
    if service.name in [line.partition(" ")[0] for line in manage("clients", "list").splitlines()]:
        given = ["rotate-secret", service.name, "--now"]
    told = json.loads(manage("clients", *given, "--json"))
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(told["client_secret"])


def application(folder: Path) -> str:
    """Return the name of the module that has the folder's service."""
    return f"glassware_{folder.name}.app"


def member(folder: Path, state: Path, ports: Mapping[str, int]) -> Member:
    """Return the service that lives in the folder, on the given port or its configured one."""
    service: Service = import_module(application(folder)).service
    places = {"service.mode": "development", "service.state_dir": str(state)}
    secrets = {"service.secrets_dir": str(state / "secrets")}
    port = ports.get(folder.name) or service.configure({**places, **secrets})["server.port"]
    return Member(service, folder, port)


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """Return a free port for each name."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}
    for each in sockets:
        each.close()
    return ports


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health/ready", timeout=2, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False
