"""What was measured, as a table, as a plot, and as ratios that a later run is held to."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "build/bench"
BASELINE = HERE / "baseline.json"
#: By how much a ratio may fall.
TOLERANCE = 0.15
#: ``results[kind][peer]`` holds rate, cpu, p50, p99, ratio and cpu_ratio.
Results = Mapping[str, Mapping[str, Mapping[str, float]]]

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


def table(results: Results, memory: Mapping[str, float]) -> str:
    """Return the tables, one for each kind of request."""
    lines = []
    for kind, peers in results.items():
        head = f"{HEADINGS[kind]:32} {'req/s':>8} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8}"
        lines += ["", f"{head} {'ours : it':>10} {'by CPU':>8}"]
        for name, one in peers.items():
            lines.append(
                f"  {name:30} {one['rate']:8.0f} {one['cpu']:8.0f} {one['p50']:8.2f}"
                f" {one['p99']:8.2f} {one['ratio']:10.2f} {one['cpu_ratio']:8.2f}"
            )
    lines += ["", "memory of all its processes, MiB, after the load"]
    lines += [f"  {name:30} {held:8.0f}" for name, held in memory.items()]
    return "\n".join(lines[1:]) + "\n"


def plot(results: Results) -> str:
    """Return an SVG of the requests/s, a bar for each peer, on a scale of its own by kind."""
    height = 20 + sum(32 + 18 * len(peers) for peers in results.values())
    body = "\n".join(bars(results))
    style = (
        "text{font:12px sans-serif}.ours{fill:#2f6f4f}.peer{fill:#9aa5b1}.head{font-weight:bold}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}">'
        f"<style>{style}</style>\n{body}\n</svg>\n"
    )


def bars(results: Results) -> Iterator[str]:
    y = 20
    for kind, peers in results.items():
        yield f'<text x="10" y="{y}" class="head">{escape(HEADINGS[kind])}, requests/s</text>'
        longest = max(one["rate"] for one in peers.values())
        for name, one in peers.items():
            y += 18
            width, mark = 380 * one["rate"] / longest, "ours" if is_ours(name) else "peer"
            yield f'<text x="10" y="{y}">{escape(name)}</text>'
            yield f'<rect x="130" y="{y - 11}" width="{width:.0f}" height="14" class="{mark}"/>'
            yield f'<text x="{140 + width:.0f}" y="{y}">{one["rate"]:,.0f}</text>'
        y += 32


def is_ours(name: str) -> bool:
    return name.startswith(("ours", "auth"))


def ratios(results: Results) -> dict[str, dict[str, float]]:
    """Return, by kind and peer, by how much less processor time ours takes for a request."""
    return {
        kind: {name: round(one["cpu_ratio"], 2) for name, one in peers.items() if not is_ours(name)}
        for kind, peers in results.items()
        if is_ours(next(iter(peers)))
    }


def write(results: Results, memory: Mapping[str, float]) -> None:
    """Print the table, and leave it with the plot and the ratios in build/bench."""
    text = table(results, memory)
    sys.stdout.write(text)
    (OUT / "table.txt").write_text(text)
    (OUT / "plot.svg").write_text(plot(results))
    (OUT / "ratios.json").write_text(json.dumps(ratios(results), indent=2) + "\n")


def fallen(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of the ratios fell by more than the tolerance."""
    for kind, peers in now.items():
        for name, ratio in peers.items():
            before = then.get(kind, {}).get(name, 0)
            if ratio < before * (1 - TOLERANCE):
                yield f"{HEADINGS[kind]}, ours : {name}: {ratio}, was {before}"


def main() -> None:
    """Compare the last run with the baseline; with ``--keep`` make it the baseline."""
    found = json.loads((OUT / "ratios.json").read_text())
    if sys.argv[1:] == ["--keep"]:
        BASELINE.write_text(json.dumps(found, indent=2) + "\n")
        return
    if worse := list(fallen(found, json.loads(BASELINE.read_text()))):
        raise SystemExit("Slower than the baseline by more than 15 %:\n  " + "\n  ".join(worse))
    sys.stdout.write("No ratio fell by more than 15 %.\n")


if __name__ == "__main__":
    main()
