"""Requests are noted as they come and counted a little later: none is lost, none counted twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from glassware.observe.metrics import BUCKETS, PAUSE, PREFIX, Metrics, observe, sweep

COUNT = 'http_request_duration_seconds_count{method="GET",route="/x",status="200"}'
TIMES = st.lists(st.one_of(st.sampled_from(BUCKETS), st.floats(0, 20)))
#: A process that is asked twice and ends at once, then one that says what all have counted.
ASKED = """
from glassware.observe.metrics import Metrics
metrics = Metrics()
for seconds in (0.002, 30.0):
    metrics.began()
    metrics.answered("GET", "/x", 200, seconds, 5)
"""
#: A process whose child shares its values, and says where.
SHARED = """
import os, sys
from pathlib import Path
from glassware.observe import metrics
place = metrics.share(Path(sys.argv[1]))
if os.fork() == 0:
    print(place, flush=True)
    os.read(0, 1)
else:
    os.wait()
"""
TOLD = """
from glassware.observe.metrics import Metrics
print(Metrics().text().decode())
"""


def values(metrics: Metrics) -> dict[str, float]:
    lines = metrics.text().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


@given(times=TIMES)
def test_times_are_counted_at_once_as_one_by_one(times: list[float]) -> None:
    told = []
    for at_once in (True, False):
        counted: Any = {"registry": CollectorRegistry()}
        histogram = Histogram("x", "Times.", buckets=BUCKETS, **counted)
        if at_once:
            observe(histogram, times)
        else:
            for each in times:
                histogram.observe(each)
        lines = generate_latest(**counted).decode().splitlines()
        told.append([line for line in lines if "_created" not in line and "_sum" not in line])
        # The order of adding differs by a rounding.
        assert abs(histogram._sum.get() - sum(times)) < 1e-6
    assert told[0] == told[1]


def test_who_asks_is_told_of_all_that_has_been_answered() -> None:
    metrics = Metrics()
    for number in range(1, 4):
        metrics.began()
        assert values(metrics)["http_requests_in_progress"] == 1
        metrics.answered("GET", "/x", 200, 0.002, 5)
        found = values(metrics)
        assert (found[COUNT], found["http_response_bytes_total"]) == (number, 5 * number)
        assert found["http_requests_in_progress"] == 0


def test_what_nobody_asks_for_is_counted_soon() -> None:
    metrics = Metrics()
    metrics.began()
    metrics.answered("GET", "/x", 200, 0.002, 5)
    deadline = time.monotonic() + 100 * PAUSE
    while not metrics.registry.get_sample_value("http_response_bytes_total"):
        assert time.monotonic() < deadline
        time.sleep(PAUSE / 10)


def test_no_request_is_lost_among_threads() -> None:
    metrics, threads, each = Metrics(), 8, 2000

    def ask() -> None:
        for _ in range(each):
            metrics.began()
            metrics.answered("GET", "/x", 200, 0.002, 1)

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        assert values(metrics)["http_requests_in_progress"] >= 0
    found = values(metrics)
    assert found[COUNT] == found["http_response_bytes_total"] == threads * each
    assert found["http_requests_in_progress"] == 0


def test_a_process_counts_before_it_ends(tmp_path: Path) -> None:
    environ = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for program in (ASKED, ASKED, TOLD):
        words = [sys.executable, "-c", program]
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    assert f"{COUNT} 4.0" in done.stdout
    assert "http_response_bytes_total 20.0" in done.stdout


def test_what_a_killed_process_leaves_is_removed_once_its_children_have_ended(
    tmp_path: Path,
) -> None:
    there = (tmp_path / f"{PREFIX}new", tmp_path / "anything")
    for each in there:
        each.mkdir()
    outside = tmp_path / "anything" / "kept"
    outside.mkdir()
    (tmp_path / f"{PREFIX}elsewhere").symlink_to(outside)
    words = [sys.executable, "-c", SHARED, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        left = Path(first.stdout.readline().strip())
        first.kill()
        first.wait()
        for each in (left, outside):
            os.utime(each, (0, 0))
        sweep(tmp_path)
        assert left.is_dir(), "its child goes on"
    for _ in range(100):
        sweep(tmp_path)
        if not left.exists():
            break
        time.sleep(0.05)
    assert not left.exists()
    assert outside.is_dir()
    assert all(map(Path.is_dir, there)), "it may be about to be locked, or is not ours"
