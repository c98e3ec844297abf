"""Drawings of what was measured: bars and lines in SVG, one below the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 640
#: Of a drawing of lines: where its left and right ends are, and how high it is.
LEFT, RIGHT, HIGH = 70, 600, 140
STYLE = (
    "text{font:12px sans-serif}.small{font-size:10px}.head{font-weight:bold}.ours{fill:#2f6f4f}"
    ".peer{fill:#9aa5b1}.line{fill:none;stroke:#2f6f4f;stroke-width:2}.axis{stroke:#9aa5b1}"
    ".end{text-anchor:end}.mid{text-anchor:middle}"
)


@dataclass(frozen=True)
class Drawing:
    """A piece of SVG and how high it is."""

    height: int
    body: str


def stack(drawings: Iterable[Drawing]) -> str:
    """Return an SVG of the drawings, one below the other."""
    parts, y = [], 0
    for each in drawings:
        parts.append(f'<g transform="translate(0 {y})">\n{each.body}\n</g>')
        y += each.height
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}">'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def bars(title: str, values: Mapping[str, float], mine: Iterable[str]) -> Drawing:
    """Draw a bar for each value; those of ``mine`` stand out."""
    own, longest = set(mine), max(values.values(), default=0) or 1
    lines = [head(title)]
    for number, (name, value) in enumerate(values.items(), 1):
        y, width = 20 + 18 * number, 380 * value / longest
        look = "ours" if name in own else "peer"
        lines += [
            f'<text x="10" y="{y}">{escape(name)}</text>',
            f'<rect x="130" y="{y - 11}" width="{width:.0f}" height="14" class="{look}"/>',
            f'<text x="{140 + width:.0f}" y="{y}">{value:,.0f}</text>',
        ]
    return Drawing(32 + 18 * len(values), "\n".join(lines))


def lines(title: str, points: Sequence[tuple[str, float]], note: str = "") -> Drawing:
    """Draw the points from left to right, equally far apart, on a scale that begins at nothing."""
    base, most = 40 + HIGH, max((value for _, value in points), default=0) or 1
    step = (RIGHT - LEFT) / max(1, len(points) - 1)
    places = [
        (LEFT + step * number, base - HIGH * value / most)
        for number, (_, value) in enumerate(points)
    ]
    path = " ".join(f"{x:.0f},{y:.1f}" for x, y in places)
    labels = "\n".join(marks(points, [x for x, _ in places], base))
    return Drawing(
        HIGH + 95,
        f"{head(title)}\n"
        f'<line x1="{LEFT}" y1="{base}" x2="{RIGHT}" y2="{base}" class="axis"/>\n'
        f'<text x="{LEFT - 8}" y="44" class="small end">{most:,.4g}</text>\n'
        f'<text x="{LEFT - 8}" y="{base}" class="small end">0</text>\n'
        f'<polyline points="{path}" class="line"/>\n{labels}\n'
        f'<text x="10" y="{base + 34}" class="small">{escape(note)}</text>',
    )


def marks(points: Sequence[tuple[str, float]], xs: Sequence[float], y: int) -> Iterator[str]:
    """Yield the labels below the axis: all of them, or as many as there is room for."""
    skip = 1 + len(points) // 8
    for number, ((label, _), x) in enumerate(zip(points, xs, strict=True)):
        if number % skip == 0:
            yield f'<text x="{x:.0f}" y="{y + 14}" class="small mid">{escape(label)}</text>'


def head(title: str) -> str:
    return f'<text x="10" y="20" class="head">{escape(title)}</text>'
