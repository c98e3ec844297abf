"""Readiness is told in time, whatever a check does."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from glassware.observe.context import Trace, bind, current
from glassware.observe.health import Checks
from glassware.problems import UnavailableProblem


class Hanging:
    """A check that hangs until it is released."""

    def __init__(self):
        self.runs = 0
        self.gate = threading.Event()

    def __call__(self):
        self.runs += 1
        assert self.gate.wait(20)


@pytest.fixture
def hanging():
    check = Hanging()
    yield check
    check.gate.set()


def threads_of(name):
    return [thread for thread in threading.enumerate() if thread.name == f"check-{name}"]


def settled(name):
    """Wait until the check's thread has ended."""
    for thread in threads_of(name):
        thread.join(5)


def fine():
    return None


def test_without_checks_a_service_is_alive_and_ready():
    assert Checks().live() == {"status": "ok"}
    assert Checks().ready() == (True, {})


def test_one_failing_check_makes_the_service_unready():
    def down():
        raise UnavailableProblem("the schema is at 12, this release needs 13")

    checks = Checks()
    checks.add("database", fine)
    checks.add("schema", down)
    assert checks.ready() == (
        False,
        {"database": "ok", "schema": "the schema is at 12, this release needs 13"},
    )
    assert checks.live() == {"status": "ok"}


def test_of_a_foreign_error_only_the_type_is_shown(caplog):
    def down():
        raise ConnectionError("could not connect to db.internal as tasks with password hunter2")

    checks = Checks()
    checks.add("database", down)
    assert checks.ready().checks == {"database": "failed: ConnectionError"}
    (record,) = caplog.records
    assert record.exc_info[0] is ConnectionError


def test_a_reason_is_scrubbed():
    def down():
        raise UnavailableProblem("no answer from redis://:hunter2@cache/0")

    checks = Checks()
    checks.add("cache", down)
    assert checks.ready().checks == {"cache": "no answer from redis://:********@cache/0"}


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, TimeoutError])
def test_no_error_of_a_check_gets_out(kind):
    def down():
        raise kind

    checks = Checks()
    checks.add("odd", down)
    assert checks.ready() == (False, {"odd": f"failed: {kind.__name__}"})


def test_a_hung_check_is_reported_in_time_and_never_run_twice(hanging):
    checks = Checks(timeout=0.1)
    checks.add("slow", hanging)
    checks.add("database", fine)
    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: checks.ready(), range(100)))
    assert time.monotonic() - began < 2
    assert {answer.ok for answer in answers} == {False}
    assert {answer.checks["slow"] for answer in answers} == {"no answer within 0.1 s"}
    assert {answer.checks["database"] for answer in answers} == {"ok"}
    assert hanging.runs == 1
    assert len(threads_of("slow")) == 1
    assert threads_of("slow")[0].daemon


def test_a_check_that_hung_is_run_again_once_it_is_back(hanging):
    checks = Checks(timeout=0.05)
    checks.add("slow", hanging)
    assert not checks.ready().ok
    hanging.gate.set()
    settled("slow")
    assert checks.ready() == (True, {"slow": "ok"})
    assert hanging.runs == 2


def test_while_a_check_is_known_to_hang_nobody_waits_for_it(hanging):
    checks = Checks(timeout=0.3)
    checks.add("slow", hanging)
    checks.ready()
    began = time.monotonic()
    for _ in range(20):
        assert not checks.ready().ok
    assert time.monotonic() - began < 0.3


def test_checks_run_side_by_side():
    together = threading.Barrier(4)
    checks = Checks(timeout=5)
    for name in "abcd":
        checks.add(name, lambda: together.wait(5) and None)
    assert checks.ready().ok


def test_a_check_may_have_its_own_timeout(hanging):
    checks = Checks(timeout=30)
    checks.add("slow", hanging, timeout=0.05)
    assert checks.ready().checks == {"slow": "no answer within 0.05 s"}


def test_a_check_that_calls_a_neighbour_does_so_under_the_requests_id():
    seen = []
    checks = Checks()
    checks.add("issuer", lambda: seen.append(current().request_id))
    with bind(Trace.incoming("r-1")):
        checks.ready()
    assert seen == ["r-1"]


def test_only_a_change_is_logged(caplog):
    broken = threading.Event()

    def check():
        if broken.is_set():
            raise UnavailableProblem("down")

    caplog.set_level("INFO")
    checks = Checks()
    checks.add("database", check)
    for state in (False, False, True, True, True, False, False):
        (broken.set if state else broken.clear)()
        checks.ready()
    fields = [record.glassware_fields for record in caplog.records]
    assert fields == [
        {"check": "database", "status": "down"},
        {"check": "database", "status": "ok"},
    ]


def test_two_checks_of_one_name_are_a_mistake_of_the_program():
    checks = Checks()
    checks.add("database", fine)
    with pytest.raises(ValueError, match="already is a check named database"):
        checks.add("database", fine)
