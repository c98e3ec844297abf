"""How a cost grows, and whether there is a cliff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.plot import Drawing, lines
from bench.report import Found


@dataclass(frozen=True)
class Curve:
    """Points in the order of their growth: ``rows`` has what was measured at each.

    ``costs`` is what is looked at for a cliff, ``watched`` says in words what that is. None of
    them may be more than ``bound`` times the lowest before it.
    """

    title: str
    headings: Sequence[str]
    rows: Mapping[str, Sequence[float]]
    watched: str
    costs: Sequence[float]
    bound: float
    #: Which of the headings is drawn.
    drawn: int = 0

    def growth(self) -> float:
        """Return how many times the lowest before it the dearest of the costs is."""
        lowest, most = self.costs[0], 0.0
        for cost in self.costs[1:]:
            most, lowest = max(most, cost / lowest), min(lowest, cost)
        return most

    def verdict(self) -> str:
        found = "no cliff" if self.growth() <= self.bound else "A CLIFF"
        return f"{found}: {self.watched}: {self.growth():.2f} times, {self.bound:.2f} at most"

    def table(self) -> str:
        """Return the points, and the verdict."""
        heads = "".join(f" {each:>14}" for each in self.headings)
        told = [f"{self.title:32}{heads}"]
        for name, values in self.rows.items():
            told.append(f"  {name:30}" + "".join(f" {shown(value):>14}" for value in values))
        return "\n".join([*told, f"  {self.verdict()}", ""])

    def drawing(self) -> Drawing:
        points = [(name, values[self.drawn]) for name, values in self.rows.items()]
        return lines(f"{self.title}: {self.headings[self.drawn]}", points, self.verdict())


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.2f}"


def found(curves: Sequence[Curve]) -> Found:
    """Return what the curves have to show."""
    return Found("\n".join(each.table() for each in curves), [each.drawing() for each in curves])
