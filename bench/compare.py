"""The suite beside its peers.

One worker of each on core 0, wrk with 8 connections on core 1; all are up at once, and are taken
in turn A B C, C B A, ... Beside requests/s stands the processor time of the server's processes for
a request, which other programs on the machine hardly change.
"""

from __future__ import annotations

import base64
import json
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import report
from bench.world import (
    CLIENT,
    PEERS,
    ROOT,
    ROUNDS,
    SECRET,
    THEIRS,
    Peer,
    Running,
    World,
    in_turn,
    measure,
)
from glassware.testing.postgres import Postgres

PARTS = {
    "read": ("one", "page", "xml"),
    "write": ("post", "put"),
    "auth": ("token", "401", "health"),
}
#: With a private server, and a thread of ours for each of 4 statements that wait for it.
POSTGRESQL = report.DATABASE == "postgresql"
THREADS = "4" if POSTGRESQL else "1"
OURS = Path(sys.executable)
TASKS = frozenset({"one", "page", "post", "put", "401", "health"})
ALL = TASKS | {"token"}
#: Where bench.mk installs what is written for Node.js.
NODE = ROOT / "build/bench-node"

UVICORN = (THEIRS, "-m", "uvicorn", "--port", "{port}", "--no-access-log", "--log-level", "warning")
GUNICORN = (THEIRS, "-m", "gunicorn", "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}")
GRANIAN = (
    *(THEIRS, "-m", "gunicorn", "-k", "glassware.cli.granian.GranianWorker"),
    *("--threads", THREADS, "-b", "127.0.0.1:{port}"),
)
#: Scheduled as ours schedules itself.
BATCH = ("chrt", "--batch", "0")


def ours(name: str, program: Path, kind: str, kinds: frozenset[str]) -> Peer:
    service = "AUTH" if name.startswith("auth") else "TASKS"
    environ = {
        f"GLASSWARE_{service}__SERVER__KIND": kind,
        f"GLASSWARE_{service}__SERVER__THREADS": THREADS if kind == "granian" else "4",
    }
    return Peer(name, (OURS, program, "runserver", "--port", "{port}"), kinds, environ)


AUTH = ROOT / "services/auth/manage.py"
XML = frozenset({"xml"})
TOKEN = frozenset({"token"})
SERVERS = (
    ours("ours", PEERS / "ours.py", "granian", TASKS | XML),
    ours("ours gunicorn", PEERS / "ours.py", "gunicorn", TASKS | XML),
    ours("auth", AUTH, "granian", TOKEN),
    ours("auth gunicorn", AUTH, "gunicorn", TOKEN),
    Peer("floor", (*BATCH, *GRANIAN, "floor:app"), ALL, {"PYTHONPATH": f"{PEERS}:{ROOT}"}),
    Peer("fastapi tuned", (*UVICORN, "fastapi_tuned:app"), ALL),
    Peer("fastapi", (*UVICORN, "fastapi_usual:app"), ALL),
    Peer("litestar", (*UVICORN, "litestar_usual:app"), ALL),
    Peer("drf", (*GUNICORN, "drf:app"), ALL | XML),
    Peer("flask", (*GUNICORN, "flask_plain:app"), ALL),
    Peer(
        "oidc-provider",
        ("node", NODE / "server.js", "{port}"),
        TOKEN,
        {"NODE_ENV": "production", "BENCH_CLIENT": CLIENT, "BENCH_SECRET": SECRET},
        form="&scope=tasks:read",
    ),
)


def check(running: list[Running], world: World) -> None:
    """Raise SystemExit for a peer whose answers are not those of the first that was asked."""
    for kind in sorted(ALL):
        wanted: Any = None
        for each in running:
            if kind not in each.peer.kinds:
                continue
            seen = [
                plain(kind, *each.ask(request)) for request in world.requests(kind, each.peer, 3)
            ]
            wanted = wanted or seen
            if seen != wanted:
                raise SystemExit(f"{each.peer.name} answers {kind} by\n{seen}\nnot by\n{wanted}")
    for each in running:
        if "page" in each.peer.kinds:
            follow(each, world)


def plain(kind: str, status: int, headers: dict[str, str], body: bytes) -> Any:
    """Return what must be the same of an answer."""
    if kind in ("401", "health"):
        return status, kind == "401" or json.loads(body)
    document = json.loads(body)
    if status >= 400:
        raise SystemExit(f"{kind} is answered by {status} {document}")
    if kind == "token":
        return status, sorted(document), document["scope"], document["expires_in"], grant(document)
    if kind == "page":
        return status, document["items"], bool(document["next"])
    if kind in ("post", "put"):
        del document["updated_at"]
    if kind == "post":
        location = next(value for name, value in headers.items() if name.lower() == "location")
        assert location.endswith(document.pop("url")), "Location is the item's URL"
        del document["created_at"]
    return status, document


def grant(document: dict[str, Any]) -> Any:
    """Return what must be the same of a token: it is a JWT for an audience (RFC 9068)."""
    header, claims, _signature = document["access_token"].split(".")
    head, told = (json.loads(base64.urlsafe_b64decode(f"{each}==")) for each in (header, claims))
    required = {"iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti"}
    names = (head["typ"], head["alg"], document["token_type"], told["aud"], told["scope"])
    return names, required - set(told), told["exp"] - told["iat"]


def follow(each: Running, world: World) -> None:
    """Follow the pages of one person to the end: every task is there, once, in order."""
    who = world.people[0]
    request = world.one("page", who, world.tasks[who][0], 0)
    seen: list[str] = []
    while True:
        page = json.loads(each.ask(request)[2])
        seen += [item["url"] for item in page["items"]]
        if page["next"] is None:
            break
        target = page["next"].partition("/tasks")[2]
        _, rest = request.split(b"\r\n", 1)
        request = f"GET /tasks{target} HTTP/1.1\r\n".encode() + rest
    wanted = [f"/tasks/{id}" for id in world.tasks[who]]
    if seen[: len(wanted)] != wanted:
        raise SystemExit(f"{each.peer.name} pages by {seen[:3]}, not by {wanted[:3]}")


def rounds(kind: str, running: list[Running], world: World) -> dict[str, dict[str, float]]:
    """Return the medians of a kind for each peer, and of its ratios to ours round by round."""
    taken = [each for each in running if kind in each.peer.kinds]
    files = {}
    for each in taken:
        files[each.peer.name] = path = world.folder / f"{kind}-{each.port}.requests"
        path.write_bytes(b"".join(one + b"\0" for one in world.requests(kind, each.peer)))
    seen: dict[str, list[Any]] = {each.peer.name: [] for each in taken}
    for number in range(ROUNDS):
        for each in in_turn(taken, number):
            found = measure(each, files[each.peer.name])
            if found["broken"] or (kind != "401" and found["failed"]):
                raise SystemExit(f"{each.peer.name} failed at {kind}: {found}")
            seen[each.peer.name].append(found)
    first = seen[taken[0].peer.name]
    results = {}
    for name, all_rounds in seen.items():
        names = ("rate", "cpu", "p50", "p99")
        results[name] = {key: statistics.median(one[key] for one in all_rounds) for key in names}
        for key, label in (("rate", "ratio"), ("cpu", "cpu_ratio")):
            pairs = zip(first, all_rounds, strict=True)
            results[name][label] = statistics.median(
                one[key] / max(1e-9, two[key]) for one, two in pairs
            )
        results[name]["cpu_ratio"] = 1 / results[name]["cpu_ratio"]
    return results


def compare(parts: Sequence[str], folder: Path) -> tuple[report.Found, report.Results]:
    """Return what the parts have to show: all peers, or those that PEERS names."""
    only = os.environ.get("PEERS", "").split(",")
    wanted = [peer for peer in SERVERS if only == [""] or peer.name in only]
    kinds = [
        kind for part in parts for kind in PARTS[part] if any(kind in peer.kinds for peer in wanted)
    ]
    wanted = [peer for peer in wanted if peer.kinds & set(kinds)]
    with database() as cluster:
        world = World(folder, cluster=cluster)
        try:
            results, memory = side_by_side(world, kinds, wanted)
        finally:
            world.close()
    return report.comparison(results, memory), results


@contextmanager
def database() -> Iterator[Postgres | None]:
    """Run the server of the database, if it has one, beside wrk."""
    if not POSTGRESQL:
        yield None
        return
    with Postgres() as cluster:
        assert cluster.server is not None
        os.sched_setaffinity(cluster.server.pid, {1})
        yield cluster


def side_by_side(
    world: World, kinds: Sequence[str], wanted: Sequence[Peer]
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[str, float]]:
    """Start the peers, hold them to the same answers, and measure them; memory comes last."""
    running: list[Running] = []
    try:
        for peer in wanted:
            running.append(world.start(peer))
        for each in running:
            each.wait()
        check(running, world)
        results = {kind: rounds(kind, running, world) for kind in kinds}
        return results, {each.peer.name: each.memory() for each in running}
    finally:
        for each in running:
            each.stop()
