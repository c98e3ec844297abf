"""Archives beside what else makes them: ``make bench PART=archives``.

One process for each archive, the peers in turn, medians of five rounds (ROUNDS). The content is
45 % words, 25 % records and 30 % what does not shrink. The rate per second of processor time is the
steadier one on a machine that does other things too. "alone" is what a library takes to compress
the same pieces, with no archive around them: none that uses it can be faster. KINDS chooses among
deflate, store, tgz, tzst, sources and memory; the last is measured only where it is named.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import memory, sources
from bench.plot import Drawing, bars
from bench.report import Found
from bench.world import ROOT, ROUNDS, THEIRS, in_turn

PEER = ROOT / "bench/peers/archive.py"
MIB = 1024**2
SIZE = int(os.environ.get("MIB", "64")) * MIB
LIBRARIES = ("libarchive-c", "zipstream-ng", "stream-zip")
OURS = ("ours fast 1", "ours fast 2", "ours small 1", "ours small 2")
PEERS = {
    "deflate": (*OURS, "isa-l alone", "zlib-ng alone", "zlib alone", *LIBRARIES, "zip", "bsdtar"),
    "store": ("ours store 1", *LIBRARIES, "zip", "bsdtar"),
    "tgz": (*OURS, "libarchive-c", "bsdtar", "tar | pigz"),
    "tzst": ("ours fast 1", "libarchive-c", "bsdtar"),
}
#: What is to be reached: how many times the rate of another row, or of the best of all peers.
GOALS: dict[tuple[str, str], dict[str, tuple[str, float]]] = {
    ("deflate", "big"): {
        "ours fast 1": ("zlib alone", 12),
        "ours fast 2": ("zlib alone", 20),
        # What this was set by, a prototype, had two workers; the table has one worker, too.
        "ours small 2": ("zlib alone", 2.5),
    },
    ("deflate", "small"): {"ours fast 1": ("best", 4)},
    ("store", "small"): {"ours store 1": ("best", 1.4)},
    ("tzst", "small"): {"ours fast 1": ("best", 1)},
}
#: How often the content is packed, so that what is quick takes long enough to be measured.
TIMES = {"store": 8}
LETTERS = "eeeeeettttaaaaoooiiinnnsshhrrddlluccmmwfgypbvk"


def data(size: int) -> bytes:
    """Return the content, always the same; zlib's level 6 makes 60 % of it."""
    chance = random.Random(20261120)
    words = ["".join(chance.choices(LETTERS, k=chance.randint(2, 10))) for _ in range(24_000)]
    often = [1 / (place + 10) ** 0.8 for place in range(len(words))]
    parts: list[bytes] = []
    while sum(map(len, parts)) < size:
        text = " ".join(chance.choices(words, often, k=40_000)).encode()
        rows = (
            b"%08d,2026-%02d-%02d,%s,%d.%02d\n"
            % (
                row,
                chance.randrange(1, 13),
                chance.randrange(1, 29),
                chance.choice((b"open", b"paid", b"sent", b"lost")),
                chance.randrange(10_000),
                chance.randrange(100),
            )
            for row in range(3200)
        )
        parts += (text[:180_000], b"".join(rows)[:100_000], chance.randbytes(120_000))
    return b"".join(parts)[:size]


def prepare(folder: Path) -> None:
    """Write the content: once for the libraries, as one file and as many for the programs."""
    content = data(SIZE)
    (folder / "data").write_bytes(content)
    (folder / "big").mkdir()
    (folder / "big/big").write_bytes(content)
    for number, start in enumerate(range(0, len(content), 4096)):
        path = folder / f"small/{number // 1000}/{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[start : start + 4096])


def measure(peer: str, kind: str, size: str, folder: Path) -> dict[str, Any]:
    """Return what one archive took."""
    python = Path(sys.executable) if peer.startswith("ours") or "alone" in peer else THEIRS
    times = str(TIMES.get(kind, 1) if size == "big" else 1)
    command = [str(python), str(PEER), peer, kind, size, times, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise SystemExit(f"{peer} {kind} {size}: {done.stderr}")
    facts: dict[str, Any] = json.loads(done.stdout)
    amount = facts["in"] / (MIB if size == "big" else 4096)
    return {
        "rate": amount / facts["seconds"],
        "per_cpu": amount / facts["cpu"],
        "ratio": facts["out"] / facts["in"],
        "rss": facts["rss"] / 1024,
    }


def compare(kind: str, size: str, folder: Path) -> dict[str, dict[str, float]]:
    """Measure one kind; the peers go in turns, there and back."""
    rounds: dict[str, list[dict[str, Any]]] = {peer: [] for peer in PEERS[kind]}
    for number in range(ROUNDS):
        for peer in in_turn(PEERS[kind], number):
            rounds[peer].append(measure(peer, kind, size, folder))
    return {
        peer: {key: statistics.median(each[key] for each in seen) for key in seen[0]}
        for peer, seen in rounds.items()
    }


def table(kind: str, size: str, found: Mapping[str, Mapping[str, float]]) -> str:
    unit = "MiB" if size == "big" else "entries"
    lines = [f"{kind}, {size}: {unit}/s, {unit} per second of processor, ratio, peak MiB"]
    for peer, row in found.items():
        rates = f"{row['rate']:12,.0f} {row['per_cpu']:12,.0f}"
        lines.append(f"  {peer:14} {rates} {row['ratio']:8.3f} {row['rss']:8.0f}")
    lines += [beside(found, peer, *goal) for peer, goal in GOALS.get((kind, size), {}).items()]
    return "\n".join([*lines, ""])


def beside(found: Mapping[str, Mapping[str, float]], peer: str, other: str, goal: float) -> str:
    """Return how many times the rates of one row are those of another, or of the best peer."""
    peers = [row for name, row in found.items() if not ("ours" in name or "alone" in name)]
    told = []
    for key, words in (("rate", ""), ("per_cpu", " per second of processor")):
        reference = max(row[key] for row in peers) if other == "best" else found[other][key]
        told.append(f"{found[peer][key] / reference:.2f}{words}")
    whom = "the best peer" if other == "best" else other
    return f"  {peer}: {', '.join(told)} times {whom}; to be {goal:g}"


def drawing(kind: str, size: str, found: Mapping[str, Mapping[str, float]]) -> Drawing:
    unit = "MiB" if size == "big" else "entries"
    rates = {peer: row["per_cpu"] for peer, row in found.items()}
    ours = [peer for peer in found if peer.startswith("ours")]
    return bars(f"{kind}, {size}: {unit} per second of processor", rates, ours)


def main(_folder: Path) -> Found:
    """Measure all kinds, or those of KINDS, in memory where there is a disk of it."""
    kinds = os.environ.get("KINDS", ",".join((*PEERS, "sources"))).split(",")
    disk = Path("/dev/shm")
    results = {}
    with TemporaryDirectory(dir=disk if disk.is_dir() else None) as name:
        folder = Path(name)
        prepare(folder)
        for size in ("big", "small"):
            for kind in filter(PEERS.__contains__, kinds):
                results[kind, size] = compare(kind, size, folder)
    tables = [table(*which, found) for which, found in results.items()]
    if "sources" in kinds:
        # In a process of its own, which has not held the content of the others.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            tables.append(sources.table(pool.submit(sources.measure, ROUNDS).result()))
    if "memory" in kinds:
        tables.append(memory.measure())
    return Found("\n".join(tables), [drawing(*which, found) for which, found in results.items()])
