"""How long the programs take to start, and what a service of two workers holds after load."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import curves, goals
from bench.report import Found
from bench.world import ROOT, ROUNDS, Peer, Running, World, free_port, measure
from glassware.config import variable

SERVICES = ("auth", "tasks", "archives")
HEALTHY = b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass(frozen=True)
class Figure:
    """What was measured and, where there is a goal, what it must stay below."""

    name: str
    value: float
    unit: str
    goal: float | None = None

    def line(self) -> str:
        text = f"  {self.name:48} {self.value:8.2f} {self.unit:3}"
        if self.goal is None:
            return text.rstrip()
        return f"{text} < {self.goal:g} {'reached' if self.value < self.goal else 'missed'}"


def table(figures: list[Figure]) -> str:
    lines = ["start-up and memory, medians, beside the goals", *(each.line() for each in figures)]
    return "\n".join(lines) + "\n"


def main(folder: Path) -> Found:
    """Measure all of it."""
    world = World(folder)
    try:
        figures = [*helped(), *ready(world), *whole(world.folder / "suite"), *held(world)]
    finally:
        world.close()
    return Found(table(figures))


def median(take: Callable[[], float]) -> float:
    """Return the median of the rounds; before them one that finds everything for the others."""
    take()
    return statistics.median(take() for _ in range(ROUNDS))


def helped() -> Iterator[Figure]:
    """Yield what help takes; before it what is the same for all who stand on SQLAlchemy."""
    yield Figure(
        "(for comparison: SQLAlchemy is imported)", ran("-c", "import sqlalchemy.orm"), "ms"
    )
    for service in SERVICES:
        taken = ran(ROOT / f"services/{service}/manage.py", "--help")
        yield Figure(f"{service}: manage.py --help", taken, "ms", goals.HELP)


def ran(*words: str | Path) -> float:
    """Return the milliseconds that Python takes for the words."""

    def take() -> float:
        began = time.perf_counter()
        command = ["taskset", "-c", "0", sys.executable, *words]
        subprocess.run(command, capture_output=True, check=True)
        return (time.perf_counter() - began) * 1000

    return median(take)


def ready(world: World) -> Iterator[Figure]:
    """Yield what passes between the command and the first answer that says ready."""
    manage = ROOT / "services/tasks/manage.py"
    for kind in ("gunicorn", "granian"):
        options = world.settings("start") | {"server.kind": kind, "server.threads": "1"}
        environ = {variable("tasks", name): value for name, value in options.items()}
        upgrade = [sys.executable, manage, "db", "upgrade"]
        subprocess.run(upgrade, env={**os.environ, **environ}, capture_output=True, check=True)
        command = (Path(sys.executable), manage, "runserver", "--port", "{port}")
        peer = Peer(f"ready {kind}", command, frozenset(), environ)

        def take(peer: Peer = peer) -> float:
            began = time.perf_counter()
            server = Running(peer, {}, world.folder / "ready.log")
            try:
                until_ready(server)
                return time.perf_counter() - began
            finally:
                server.stop()

        yield Figure(f"tasks: a worker is ready ({kind})", median(take), "s", goals.READY)


def until_ready(server: Running) -> None:
    """Ask until it answers that it is. Raises RuntimeError after 30 s."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if server.ask(HEALTHY)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.005)
    raise RuntimeError(server.log.read_text()[-3000:])


def whole(folder: Path) -> Iterator[Figure]:
    """Yield what ``make run`` takes at first, when it makes the databases, and later."""
    folder.mkdir()
    (folder / "services").symlink_to(ROOT / "services")
    seconds = []
    for _ in range(ROUNDS + 1):
        with suite(folder) as took:
            seconds.append(took)
    first, *later = seconds
    yield Figure("the suite: first start, databases made", first, "s")
    yield Figure("the suite: later starts", statistics.median(later), "s", goals.AGAIN)


@contextmanager
def suite(folder: Path) -> Iterator[float]:
    """Run the suite as ``make run`` does, but for where its state is; give the seconds it took."""
    ports = {variable(each, "server.port"): str(free_port()) for each in SERVICES}
    command = f'make -s setup && exec {Path(sys.executable).with_name("glassware")} --root "$0" run'
    began = time.perf_counter()
    with subprocess.Popen(
        ["sh", "-c", command, folder],
        env={**os.environ, **ports},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = next((line for line in process.stdout if line.startswith("Glassware runs")), "")
        took = time.perf_counter() - began
        try:
            if not told:
                raise RuntimeError("The suite does not start.")
            yield took
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()


def held(world: World) -> Iterator[Figure]:
    """Yield what a service of two workers holds once both have had requests of all kinds."""
    for kind in ("gunicorn", "granian"):
        server = world.start(curves.ours(2, kind))
        try:
            server.wait()
            path = curves.mixed(world, server)
            for _ in range(ROUNDS):
                measure(server, path)
            megabytes = 1.048576
            once = server.memory() * megabytes
            each = sum(server.resident().values()) * megabytes
        finally:
            server.stop()
        name = f"tasks: two workers after load ({kind})"
        yield Figure(f"{name}, PSS", once, "MB", goals.MEMORY)
        yield Figure(f"{name}, RSS", each, "MB")
