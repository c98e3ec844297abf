"""Measure: ``make bench``, or a part of it, ``make bench PART=read``.

Each part says what it found when it is done. At the end one table and one plot of all parts are in
``build/bench``, and the ratios to the peers, by which ``make bench-check`` judges.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import archives, compare, curves, goals, report, start
from bench.report import DATABASE, OUT, Found

#: What stands alone, in the order of a whole run; before it come the parts that have peers.
ALONE: dict[str, Callable[[Path], Found]] = {
    "start": start.main,
    "curves": curves.main,
    "archives": archives.main,
}
PARTS = (*compare.PARTS, *ALONE)
#: Where the comparison is of anything; the rest of it is the same whatever the database.
ON_POSTGRESQL = ("read", "write")


def chosen(words: Sequence[str], database: str) -> tuple[str, ...]:
    """Return the parts that are named, all by default. Raises SystemExit."""
    if database not in goals.RATIOS:
        raise SystemExit(f"DATABASE can be {' or '.join(goals.RATIOS)}, not {database}.")
    known = ON_POSTGRESQL if database == "postgresql" else PARTS
    if unknown := [word for word in words if word not in known]:
        raise SystemExit(f"There is no part {unknown[0]} on {database}: {', '.join(known)}.")
    return tuple(part for part in known if not words or part in words)


def measured(parts: Sequence[str], folder: Path) -> Iterator[tuple[str, Found]]:
    """Measure the parts; yield the name and the findings of each."""
    if together := [part for part in parts if part in compare.PARTS]:
        say(f"{', '.join(together)} ...")
        found, results = compare.compare(together, folder)
        (OUT / "ratios.json").write_text(json.dumps({DATABASE: report.ratios(results)}, indent=2))
        yield "peers", found
    for part in parts:
        if part in ALONE:
            say(f"{part} ...")
            yield part, ALONE[part](folder)


def main(words: Sequence[str]) -> None:
    """Measure, print, and leave table, plot and ratios in build/bench."""
    parts = chosen(words, DATABASE)
    # What is installed has its bytecode; what is measured makes it when it first starts.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped on the way out
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "ratios.json").unlink(missing_ok=True)
    found = []
    for name, each in measured(parts, OUT / "world"):
        say(f"\n{each.text}")
        report.leave(each, OUT / f"{name}.txt", OUT / f"{name}.svg")
        found.append(each)
    report.leave(report.together(found), OUT / "table.txt", OUT / "plot.svg")
    say(f"{OUT / 'table.txt'}, {OUT / 'plot.svg'}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
