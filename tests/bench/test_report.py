"""What the bench says of what it measured: tables, plots, goals, and what fell."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import goals, plot, report
from bench.report import Found

BOX = f"0 0 {plot.WIDTH}"


def row(rate: float = 1000, ratio: float = 1, cpu_ratio: float = 1) -> dict[str, float]:
    return {
        "rate": rate,
        "cpu": 1e6 / rate,
        "p50": 0.5,
        "p99": 0.9,
        "ratio": ratio,
        "cpu_ratio": cpu_ratio,
    }


RESULTS = {
    "one": {"ours": row(12_000), "floor": row(40_000, 0.3, 0.28), "drf": row(1100, 10.9, 10.26)},
    "token": {"auth": row(5000), "auth gunicorn": row(3000, 1.67), "drf": row(1000, 5, 4.5)},
}
MEMORY = {"ours": 88.2, "drf": 86.4}


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter() if each.text]


def test_the_table_has_each_peer_with_its_ratio_and_what_is_wanted_of_it() -> None:
    lines = report.comparison(RESULTS, MEMORY, "sqlite").text.splitlines()
    told = {line.split("  ")[1].strip(): line for line in lines if line.startswith("  ")}
    assert lines[0].startswith("GET one task ")
    assert told["floor"].endswith("0.30     0.28  >= 0.29 reached")
    assert next(line for line in lines if "drf" in line).endswith("10.90    10.26  >= 11.00 missed")
    assert "memory of all its processes, MiB, after the load" in lines


def test_a_plot_has_a_bar_for_each_peer_the_longest_for_the_fastest() -> None:
    svg = plot.stack(report.comparison(RESULTS, MEMORY, "sqlite").drawings)
    root = ElementTree.fromstring(svg)
    bars = [each for each in root.iter() if each.tag.endswith("rect")]
    first = {each.get("class"): float(each.get("width", 0)) for each in bars[:3]}
    assert len(bars) == 3 + 3 + 2
    assert first == {"ours": 114, "peer": 10}
    assert float(bars[1].get("width", 0)) == 380
    assert "12,000" in texts(svg)


def test_drawings_stand_below_each_other() -> None:
    drawings = [plot.bars("a", {"x": 1}, ["x"]), plot.lines("b", [("1", 1), ("2", 3)])]
    root = ElementTree.fromstring(plot.stack(drawings))
    places = [each.get("transform") for each in root if each.tag.endswith("}g")]
    assert places == ["translate(0 0)", f"translate(0 {drawings[0].height})"]
    assert root.get("viewBox") == f"{BOX} {sum(each.height for each in drawings)}"


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=40))
def test_every_line_stays_on_its_drawing(values: list[float]) -> None:
    drawing = plot.lines("a < b", [(str(number), value) for number, value in enumerate(values)])
    points = drawing.body.partition('<polyline points="')[2].partition('"')[0].split()
    assert len(points) == len(values)
    for x, y in (map(float, point.split(",")) for point in points):
        assert plot.LEFT <= x <= plot.RIGHT
        assert 0 < y < drawing.height
    ElementTree.fromstring(plot.stack([drawing]))


def test_one_table_and_one_plot_have_all_parts(tmp_path: Path) -> None:
    parts = [Found("first\n", [plot.bars("a", {"x": 1}, [])]), Found("second\n")]
    report.leave(report.together(parts), tmp_path / "table.txt", tmp_path / "plot.svg")
    assert (tmp_path / "table.txt").read_text() == "first\n\nsecond\n"
    assert "a" in texts((tmp_path / "plot.svg").read_text())


def test_ratios_are_of_processor_time_and_of_peers_only() -> None:
    assert report.ratios(RESULTS) == {"one": {"floor": 0.28, "drf": 10.26}, "token": {"drf": 4.5}}


def test_what_fell_is_what_fell_by_more_than_15_percent() -> None:
    then = {"one": {"drf": 10.0, "floor": 0.3}}
    now = {"one": {"drf": 8.5, "floor": 0.25}, "put": {"drf": 1.0}}
    assert list(report.fallen(now, then)) == ["GET one task, ours : floor: 0.25, was 0.3"]


def check(tmp_path: Path, found: object, *words: str) -> None:
    (tmp_path / "ratios.json").write_text(json.dumps(found))
    report.main(words, tmp_path, tmp_path / "baseline.json")


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps({"sqlite": {"one": {"drf": 10, "floor": 0.3}, "put": {"drf": 7}}}))
    return path


@pytest.mark.usefixtures("baseline")
def test_the_check_fails_for_what_fell_and_for_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(tmp_path, {"sqlite": {"one": {"drf": 8.6}}})
    assert capsys.readouterr().out == "No ratio fell by more than 15 %.\n"
    with pytest.raises(SystemExit, match=r"GET one task, ours : drf: 8\.4, was 10"):
        check(tmp_path, {"sqlite": {"one": {"drf": 8.4}}})
    with pytest.raises(SystemExit, match="no ratios on postgresql yet"):  # SQLite's are others
        check(tmp_path, {"postgresql": {"one": {"drf": 1.0}}})


def test_a_part_that_is_kept_leaves_the_others_as_they_were(tmp_path: Path, baseline: Path) -> None:
    check(tmp_path, {"sqlite": {"one": {"drf": 12}}}, "--keep")
    check(tmp_path, {"postgresql": {"one": {"drf": 6}}}, "--keep")
    assert json.loads(baseline.read_text()) == {
        "sqlite": {"one": {"drf": 12, "floor": 0.3}, "put": {"drf": 7}},
        "postgresql": {"one": {"drf": 6}},
    }


@pytest.mark.usefixtures("baseline")
def test_a_run_that_compared_nothing_is_not_judged(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="has compared nothing"):
        report.main([], tmp_path, tmp_path / "baseline.json")


def test_goals_and_baseline_are_of_what_is_measured() -> None:
    from bench.compare import SERVERS

    known = {(kind, peer.name) for peer in SERVERS for kind in peer.kinds}
    kept = json.loads(report.BASELINE.read_text())
    for table in (*goals.RATIOS.values(), *kept.values()):
        assert {(kind, name) for kind, peers in table.items() for name in peers} <= known
    wanted = {(kind, peer) for kind, peer in known if not report.is_ours(peer)}
    assert {(kind, name) for kind, peers in kept["sqlite"].items() for name in peers} == wanted
