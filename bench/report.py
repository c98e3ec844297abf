"""What was measured, as a table, as a plot, and as ratios that a later run is held to."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import goals
from bench.plot import Drawing, bars, stack

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "build/bench"
BASELINE = HERE / "baseline.json"
#: The database of all; of its own ratios each is held to its own.
DATABASE = os.environ.get("DATABASE", "sqlite")
#: By how much a ratio may fall.
TOLERANCE = 0.15
#: ``results[kind][peer]`` holds rate, cpu, p50, p99, ratio and cpu_ratio.
Results = Mapping[str, Mapping[str, Mapping[str, float]]]
Ratios = Mapping[str, Mapping[str, float]]

HEADINGS = {
    "one": "GET one task",
    "page": "GET a page of 50",
    "xml": "the same page in XML",
    "post": "POST",
    "put": "PUT",
    "token": "token by client credentials",
    "401": "401",
    "health": "health",
}


@dataclass(frozen=True)
class Found:
    """What a part has to show."""

    text: str
    drawings: Sequence[Drawing] = ()


def leave(found: Found, table: Path, plot: Path) -> None:
    """Leave it in the files."""
    table.write_text(found.text)
    plot.write_text(stack(found.drawings))


def together(parts: Sequence[Found]) -> Found:
    """Return one table and one plot of all that the parts have to show."""
    return Found(
        "\n".join(each.text for each in parts),
        [drawing for each in parts for drawing in each.drawings],
    )


def comparison(results: Results, memory: Mapping[str, float], database: str = DATABASE) -> Found:
    """Return what the peers have to show."""
    wanted = goals.RATIOS[database]
    drawings = [
        bars(
            f"{HEADINGS[kind]}, requests/s",
            {name: one["rate"] for name, one in peers.items()},
            filter(is_ours, peers),
        )
        for kind, peers in results.items()
    ]
    drawings.append(bars("memory after the load, MiB", memory, filter(is_ours, memory)))
    return Found(table(results, memory, wanted), drawings)


def table(results: Results, memory: Mapping[str, float], wanted: Ratios) -> str:
    """Return the tables, one for each kind of request."""
    lines = []
    for kind, peers in results.items():
        head = f"{HEADINGS[kind]:32} {'req/s':>8} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8}"
        lines += ["", f"{head} {'ours : it':>10} {'by CPU':>8}  goal"]
        goals_of_kind = wanted.get(kind, {}) if is_ours(next(iter(peers))) else {}
        for name, one in peers.items():
            goal = judged(one["ratio"], goals_of_kind.get(name))
            lines.append(
                f"  {name:30} {one['rate']:8.0f} {one['cpu']:8.0f} {one['p50']:8.2f}"
                f" {one['p99']:8.2f} {one['ratio']:10.2f} {one['cpu_ratio']:8.2f}  {goal}".rstrip()
            )
    lines += ["", "memory of all its processes, MiB, after the load"]
    lines += [f"  {name:30} {held:8.0f}" for name, held in memory.items()]
    return "\n".join(lines[1:]) + "\n"


def judged(ratio: float, goal: float | None) -> str:
    """Return what is wanted of a ratio, and whether it is there."""
    if goal is None:
        return ""
    return f">= {goal:.2f} {'reached' if ratio >= goal else 'missed'}"


def is_ours(name: str) -> bool:
    return name.startswith(("ours", "auth"))


def ratios(results: Results) -> dict[str, dict[str, float]]:
    """Return, by kind and peer, by how much less processor time ours takes for a request."""
    return {
        kind: {name: round(one["cpu_ratio"], 2) for name, one in peers.items() if not is_ours(name)}
        for kind, peers in results.items()
        if is_ours(next(iter(peers)))
    }


def kept(now: Ratios, then: Ratios) -> dict[str, dict[str, float]]:
    """Return the ratios of then with those of now, which may be fewer, in their place."""
    return {kind: {**then.get(kind, {}), **now.get(kind, {})} for kind in {**then, **now}}


def fallen(now: Ratios, then: Ratios) -> Iterator[str]:
    """Yield what of the ratios fell by more than the tolerance."""
    for kind, peers in now.items():
        for name, ratio in peers.items():
            before = then.get(kind, {}).get(name, 0)
            if ratio < before * (1 - TOLERANCE):
                yield f"{HEADINGS[kind]}, ours : {name}: {ratio}, was {before}"


def main(words: Sequence[str], out: Path = OUT, baseline: Path = BASELINE) -> None:
    """Compare the last run with the baseline; with ``--keep`` make it the baseline."""
    path = out / "ratios.json"
    if not path.exists():
        raise SystemExit("The last run has compared nothing: make bench, or a part with peers.")
    found: dict[str, Any] = json.loads(path.read_text())
    known: dict[str, Any] = json.loads(baseline.read_text())
    if list(words) == ["--keep"]:
        merged = {name: kept(each, known.get(name, {})) for name, each in found.items()}
        baseline.write_text(json.dumps({**known, **merged}, indent=2) + "\n")
        return
    worse = []
    for name, each in found.items():
        if name not in known:
            raise SystemExit(f"The baseline has no ratios on {name} yet: make bench-keep.")
        worse += fallen(each, known[name])
    if worse:
        raise SystemExit("Slower than the baseline by more than 15 %:\n  " + "\n  ".join(worse))
    sys.stdout.write("No ratio fell by more than 15 %.\n")


if __name__ == "__main__":
    main(sys.argv[1:])
