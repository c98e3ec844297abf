"""How much memory one archive takes, however long it is and however much is in it.

    python -m bench.memory

prints the peak of a process for a stream of GIB (20) and for a million entries, beside the goal:
80 MiB, and 120 bytes for each entry. ``KINDS=memory make bench PART=archives`` does the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from glassware_archives.domain import Entry, Limits, Options, Workers, build, ensure_environment

MIB = 1024**2
STREAM, MANY = int(os.environ.get("GIB", "20")) * 1024 * MIB, 1_000_000
GOAL, EACH = 80 * MIB, 120
CASES = (("zip", "fast", 2), ("zip", "store", 1), ("tar", "store", 1))


def stream() -> Iterator[Entry]:
    """Yield one entry that never was in memory."""
    block = bytes(range(256)) * 256
    yield Entry("large", (block for _ in range(STREAM // len(block))), STREAM)


def many() -> Iterator[Entry]:
    """Yield entries in folders of a thousand."""
    for number in range(MANY):
        yield Entry(f"{number // 1000}/{number}.txt", (b"content",), 7)


def peak(format: str, level: str, workers: str, what: str) -> None:
    """Build the archive; print the peak of this process in bytes, and how long the archive is."""
    ensure_environment()
    limits = Limits(max_entries=MANY, max_bytes=2**60, max_seconds=600)
    entries = stream() if what == "stream" else many()
    made = build(format, entries, limits, Options(level), Workers(int(workers)))
    length = sum(map(len, made))
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) * 1024, length)


def measure() -> str:
    """Measure each case in a process of its own; return the table."""
    goals = {"stream": GOAL, "entries": GOAL + EACH * MANY}
    lines = [f"{STREAM // MIB // 1024} GiB in one stream, {MANY:,} entries: peak MiB"]
    for case in CASES:
        command = [sys.executable, "-m", "bench.memory", *map(str, case)]
        found = [int(subprocess.check_output([*command, what]).split()[0]) for what in goals]
        lines.append(row(" ".join(map(str, case)), found))
    return "\n".join([*lines, row("at most", goals.values()), ""])


def row(name: str, values: Iterable[int]) -> str:
    return f"  {name:14}" + "".join(f"{value / MIB:12,.0f}" for value in values)


if __name__ == "__main__":
    if sys.argv[1:]:
        peak(*sys.argv[1:])
    else:
        sys.stdout.write(measure())
