"""A curve says whether there is a cliff; a figure, whether its goal is reached."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.curve import Curve, found
from bench.start import Figure, table


def curve(*costs: float) -> Curve:
    rows = {str(number): (cost, 1 / cost) for number, cost in enumerate(costs, 1)}
    return Curve("workers", ("CPU us", "requests/s"), rows, "a request", costs, 1.25)


@pytest.mark.parametrize(
    ("costs", "growth"),
    [((100, 110, 120), 1.2), ((100, 50, 60), 1.2), ((100, 50, 80), 1.6), ((3, 2, 1), 0.67)],
)
def test_growth_is_against_the_lowest_cost_so_far(costs: tuple[float, ...], growth: float) -> None:
    assert curve(*costs).growth() == pytest.approx(growth, abs=0.01)


def test_a_cliff_is_called_one() -> None:
    assert curve(10, 11, 12).verdict() == "no cliff: a request: 1.20 times, 1.25 at most"
    assert curve(10, 11, 13).verdict() == "A CLIFF: a request: 1.30 times, 1.25 at most"


@given(st.lists(st.floats(0.1, 1e6), min_size=2), st.floats(1.3, 10))
def test_a_last_point_that_is_much_dearer_than_all_is_found(costs: list[float], by: float) -> None:
    assert curve(*costs, max(costs) * by).verdict().startswith("A CLIFF")


@given(st.lists(st.floats(0.1, 1e6), min_size=2))
def test_what_never_grows_has_no_cliff(costs: list[float]) -> None:
    assert curve(*sorted(costs, reverse=True)).verdict().startswith("no cliff")


def test_the_table_has_every_point_and_ends_with_the_verdict() -> None:
    lines = found([curve(2000, 2100), curve(1, 2)]).text.splitlines()
    assert lines[0].split() == ["workers", "CPU", "us", "requests/s"]
    assert lines[1].split() == ["1", "2,000", "0.00"]
    assert lines[3].strip().startswith("no cliff")
    assert lines[-1].strip().startswith("A CLIFF")


def test_a_drawing_has_the_verdict_below() -> None:
    (drawing,) = found([curve(10, 12)]).drawings
    assert "no cliff: a request: 1.20 times, 1.25 at most" in drawing.body
    assert "workers: CPU us" in drawing.body


def test_a_figure_stands_beside_its_goal() -> None:
    lines = table(
        [Figure("help", 99.5, "ms", 150), Figure("more", 2, "s", 1), Figure("RSS", 1, "MB")]
    )
    assert [line.split()[1:] for line in lines.splitlines()[1:]] == [
        ["99.50", "ms", "<", "150", "reached"],
        ["2.00", "s", "<", "1", "missed"],
        ["1.00", "MB"],
    ]
