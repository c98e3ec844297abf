"""The suite as processes: what breaks says which, why, and what to do."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from glassware.cli.processes import Suite, SuiteError, free_ports

ROOT = Path(__file__).parents[2]
NAMES = ("auth", "tasks", "archives")


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        suite = Suite(ROOT, tmp_path, ports={**free_ports(NAMES), "tasks": port})
        with pytest.raises(SuiteError) as refused:
            suite.prepare()
    assert f"tasks: port {port} is taken" in str(refused.value)
    assert "GLASSWARE_TASKS__SERVER__PORT=" in str(refused.value)


def test_a_broken_migration_is_told_with_the_command_to_see_it(tmp_path: Path) -> None:
    broken = tmp_path / "tasks" / "tasks.sqlite"
    broken.parent.mkdir()
    broken.write_text("this is no database, but it was here first")
    suite = Suite(ROOT, tmp_path, ports=free_ports(NAMES))
    with pytest.raises(SuiteError) as refused:
        suite.prepare()
    assert "tasks: `manage.py db upgrade` failed" in str(refused.value)
    assert "services/tasks/manage.py db upgrade" in str(refused.value)


@pytest.mark.processes
def test_a_service_that_dies_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    suite = Suite(ROOT, tmp_path, ports=free_ports(NAMES))
    try:
        suite.prepare()
        (tmp_path / "archives" / "secrets" / "app.secret_key").write_text("")
        with pytest.raises(SuiteError) as died:
            suite.start()
    finally:
        suite.stop()
    assert "archives stopped with status 1" in str(died.value)
    assert "app.secret_key" in str(died.value)


def test_outside_a_checkout_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="run from a checkout"):
        Suite(tmp_path, tmp_path / "var")
