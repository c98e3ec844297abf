"""What is looked at anew whenever the metrics are read, in one process and in several."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.wrappers import Response

from glassware.cli.processes import free_ports
from glassware.config import variable
from glassware.testing import Issuer, Mesh, assert_problem
from glassware_tasks.app import service as tasks
from glassware_tasks.models import db

ROOT = Path(__file__).parents[2]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    """Return the values by name and labels, each of which must be there once."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, f"{key} is exported twice"
            found[key] = sample.value
    return found


class House:
    def __init__(self, mesh: Mesh, issuer: Issuer) -> None:
        self.mesh, self.issuer = mesh, issuer
        self.app = mesh.apps["tasks"]

    def scrape(self) -> Samples:
        return samples(self.mesh.client("tasks").get("/metrics").text)

    def check(self, name: str) -> float:
        return self.scrape()["health_check_ok", (("check", name),)]


@pytest.fixture
def house() -> Iterator[House]:
    issuer = Issuer()
    settings = {"auth.keys_cooldown": "0", "auth.keys_refresh": "1"}
    with Mesh([tasks], transports={"auth": issuer.transport}, settings=settings) as mesh:
        yield House(mesh, issuer)


def test_the_release_the_room_and_the_capacity_are_told(house: House) -> None:
    found = house.scrape()
    builds = [dict(labels) for name, labels in found if name == "build_info"]
    parts = house.app.extensions["glassware"]
    version = ".".join(map(str, sys.version_info[:3]))
    assert builds == [{"service": "tasks", "release": parts.release, "python": version}]
    assert found["http_requests_capacity", ()] == 2 * 4
    disk = os.statvfs(parts.config["service.state_dir"])
    assert found["state_size_bytes", ()] == disk.f_blocks * disk.f_frsize
    assert 0 < found["state_free_bytes", ()] <= found["state_size_bytes", ()]


def test_a_check_that_fails_is_told_and_that_it_passes_again(house: House) -> None:
    assert house.check("database") == 1
    with house.app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE alembic_version RENAME TO gone")
    assert house.check("database") == 0
    with house.app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO alembic_version")
    assert house.check("database") == 1


def test_the_age_of_the_keys_grows_while_the_issuer_is_sick(house: House) -> None:
    def broken() -> Response:
        raise ConnectionError("the issuer is sick")

    age = ("auth_keys_age_seconds", ())
    assert house.check("keys") == 1
    assert house.scrape()[age] < 1
    healthy, house.issuer.answer = house.issuer.answer, broken
    time.sleep(1.1)
    assert house.check("keys") == 1, "the old ones are still believed"
    assert house.scrape()[age] > 1
    house.issuer.answer = healthy
    deadline = time.monotonic() + 5
    while house.scrape()[age] > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert house.scrape()[age] < 1, "asking for the metrics is enough to have them fetched"


def test_what_the_database_fails_is_counted_by_how(house: House) -> None:
    errors = [("database_errors_total", (("error", name),)) for name in ("OperationalError",)]
    assert [house.scrape()[error] for error in errors] == [0]
    with house.app.app_context():
        db.close()
    path = Path(house.app.extensions["glassware"].config["service.state_dir"]) / "tasks.sqlite"
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.mkdir()
    headers = house.issuer.headers(scope="tasks:read")
    assert_problem(house.mesh.client("tasks").get("/tasks", headers=headers), 503, "unavailable")
    assert [house.scrape()[error] for error in errors] == [1]


@pytest.mark.processes
def test_several_processes_tell_the_same_as_one(tmp_path: Path) -> None:
    port = free_ports(["tasks"])["tasks"]
    options = {"service.state_dir": str(tmp_path), "server.port": str(port), "server.workers": "3"}
    given = {variable("tasks", name): value for name, value in options.items()}
    manage = [sys.executable, str(ROOT / "services/tasks/manage.py")]
    environ = {**os.environ, **given}
    subprocess.run([*manage, "db", "upgrade"], env=environ, check=True, capture_output=True)
    process = subprocess.Popen([*manage, "runserver"], env=environ, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/health/live")
        for _ in range(30):
            assert httpx2.get(f"{url}/tasks", trust_env=False).status_code == 401
        time.sleep(0.2)  # a request is counted after its answer is sent
        found = samples(httpx2.get(f"{url}/metrics", trust_env=False).text)
    finally:
        process.terminate()
        process.wait(30)
    refused = (("method", "GET"), ("route", "/tasks"), ("status", "401"))
    assert found["http_request_duration_seconds_count", refused] == 30
    assert found["http_requests_capacity", ()] == 3 * 4
    assert found["health_check_ok", (("check", "database"),)] == 1
    assert found["database_errors_total", (("error", "TimeoutError"),)] == 0


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            httpx2.get(url, trust_env=False)
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} does not answer")
