"""PostgreSQL for real: what its two roles may do, and how the service lives with its server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from glassware.config import variable
from glassware.db.migrate import prepare
from glassware.testing import Issuer, assert_problem
from glassware.testing.postgres import Postgres
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks
from glassware_tasks.models import Task, db

ROOT = Path(__file__).parents[2]
URL = "http://127.0.0.1:7002"
THREADS = 4


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture(scope="module")
def settings(cluster: Postgres) -> dict[str, str]:
    """The options of a database with both services' tables, each made by the migrating role."""
    cluster.create("tasks")
    cluster.create("other")
    return cluster.settings("tasks")


class House:
    """The tasks service on a database, with an issuer of tokens."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.issuer = Issuer()
        self.person = uuid4()
        self.app: Flask = tasks.create_app(
            {
                "service.mode": "development",
                "service.state_dir": str(folder),
                "service.secrets_dir": str(folder / "secrets"),
                "server.threads": str(THREADS),
                **settings,
            },
            environ={},
            transports={"auth": self.issuer.transport},
        )
        prepare(self.app)
        with self.app.app_context():
            flask_migrate.upgrade()

    def call(self, method: str, path: str, **kwargs: Any) -> Any:
        headers = self.issuer.headers(str(self.person), "tasks:read tasks:write")
        given = {**headers, **kwargs.pop("headers", {})}
        client = self.app.test_client()
        return client.open(path, method=method, base_url=URL, headers=given, **kwargs)

    def task(self) -> str:
        """Return the path of a new task."""
        with self.app.app_context():
            task = Task(title="a task", person_id=self.person, done=False)
            db.session.add(task)
            db.session.commit()
            return f"/tasks/{task.id}"

    def close(self) -> None:
        with self.app.app_context():
            db.close()


@contextmanager
def running(folder: Path, settings: dict[str, str]) -> Iterator[House]:
    house = House(folder, settings)
    try:
        yield house
    finally:
        house.close()


@pytest.fixture
def house(tmp_path: Path, settings: dict[str, str]) -> Iterator[House]:
    with running(tmp_path, settings) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """The service on each kind of database."""
    chosen = request.getfixturevalue("settings") if request.param == "postgresql" else {}
    with running(tmp_path, chosen) as made:
        yield made


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        yield connection


# The roles

INSUFFICIENT = "42501"
FORBIDDEN = [
    "CREATE TABLE mine (a integer)",
    "CREATE TEMPORARY TABLE mine (a integer)",
    "CREATE TABLE copy AS SELECT * FROM tasks",
    "SELECT * INTO copy FROM tasks",
    "CREATE UNLOGGED TABLE mine (a integer)",
    "CREATE VIEW mine AS SELECT 1 AS a",
    "CREATE SEQUENCE mine",
    "CREATE INDEX mine ON tasks (title)",
    "CREATE SCHEMA mine",
    "CREATE TYPE mine AS ENUM ('a')",
    "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE TRIGGER mine BEFORE INSERT ON tasks EXECUTE FUNCTION suppress_redundant_updates()",
    "CREATE DATABASE mine",
    "CREATE ROLE mine",
    "CREATE PUBLICATION mine FOR TABLE tasks",
    "ALTER TABLE tasks ADD COLUMN mine integer",
    "ALTER TABLE tasks DISABLE TRIGGER ALL",
    "ALTER SCHEMA public RENAME TO mine",
    "ALTER ROLE tasks_serve SUPERUSER",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "DROP TABLE tasks",
    "DROP INDEX ix_tasks_person_id_id",
    "DROP SCHEMA public CASCADE",
    "TRUNCATE tasks",
    "COMMENT ON TABLE tasks IS 'mine'",
    "REINDEX TABLE tasks",
    "SET ROLE tasks_migrate",
    "SET SESSION AUTHORIZATION postgres",
    "COPY tasks TO PROGRAM 'cat'",
    "COPY tasks FROM PROGRAM 'true'",
    "COPY tasks TO '/tmp/stolen'",
    "COPY tasks FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_reload_conf()",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_serving_role_is_refused(
    house: House, settings: dict[str, str], statement: str
) -> None:
    with connected(settings["database.url"]) as connection:
        with pytest.raises(DBAPIError) as refused:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(statement))
        assert getattr(refused.value.orig, "sqlstate", "") == INSUFFICIENT, refused.value


def superuser(statement: str, cluster: Postgres) -> None:
    cluster.run("psql", "-X", "-q", "-h", cluster.folder, "-U", "postgres", "-c", statement)


@pytest.mark.parametrize("role", ["serve", "migrate"])
def test_no_role_reaches_another_services_database(
    cluster: Postgres, settings: dict[str, str], role: str
) -> None:
    foreign = cluster.url("tasks", role).replace("/tasks?", "/other?")
    with pytest.raises(DBAPIError, match="permission denied for database"), connected(foreign):
        pass


RIGHTS = text(
    "SELECT c.relname, r.privilege FROM pg_class c, "
    "unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER'])"
    " AS r(privilege)"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
    " AND has_table_privilege(c.oid, r.privilege)"
)


@pytest.mark.parametrize("service", [auth, tasks], ids=["auth", "tasks"])
def test_the_migrations_leave_the_serving_role_with_rows_and_nothing_else(
    cluster: Postgres, tmp_path: Path, service: Any
) -> None:
    name = f"rights_{service.name}"
    cluster.create(name)
    with manage(service.name, tmp_path, cluster.settings(name), "db", "upgrade") as process:
        assert process.wait(60) == 0
    tables = {*service.database.metadata.tables, "alembic_version"}
    with connected(cluster.url(name, "serve")) as connection:
        rights: dict[str, set[str]] = {}
        for table, right in connection.execute(RIGHTS):
            rights.setdefault(table, set()).add(right)
        assert rights == {table: {"SELECT", "INSERT", "UPDATE", "DELETE"} for table in tables}
    with connected(cluster.url(name, "migrate")) as connection:
        owners = text("SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public'")
        found = {tuple(row) for row in connection.execute(owners)}
        assert found == {(table, f"{name}_migrate") for table in tables}


def manage(
    service: str, folder: Path, settings: dict[str, str], *words: str
) -> subprocess.Popen[str]:
    """Begin a manage.py command in a process of its own."""
    options = {"service.state_dir": str(folder), **settings}
    given = {variable(service, name): value for name, value in options.items()}
    command = [sys.executable, str(ROOT / "services" / service / "manage.py"), *words]
    return subprocess.Popen(
        command,
        env={**os.environ, **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_upgrades_that_come_at_once_migrate_once(cluster: Postgres, tmp_path: Path) -> None:
    cluster.create("crowd")
    chosen = cluster.settings("crowd")
    crowd = [manage("auth", tmp_path, chosen, "db", "upgrade") for _ in range(4)]
    said = [process.communicate(timeout=120)[0] for process in crowd]
    assert [process.returncode for process in crowd] == [0] * 4, said
    with manage("auth", tmp_path, chosen, "db", "check") as checked:
        assert checked.wait(60) == 0
        assert checked.stdout is not None
        assert "as the models are" in checked.stdout.read()


# The server, the pool, the locks


def test_a_statement_that_takes_too_long_is_ended_and_the_caller_told_when_to_come_back(
    cluster: Postgres, house: House, settings: dict[str, str]
) -> None:
    with connected(settings["database.url"]) as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "30s", "as roles.sql has it"
    path = house.task()
    tag = house.call("GET", path).headers["ETag"]
    change = {"json": {"title": "changed"}, "headers": {"If-Match": tag}}
    change["content_type"] = "application/merge-patch+json"
    with serving_timeout(cluster, house, "300ms"), connected(settings["database.url"]) as other:
        other.execute(text("SELECT 1 FROM tasks FOR UPDATE"))
        began = time.monotonic()
        refused = house.call("PATCH", path, **change)
        assert time.monotonic() - began < 3
        assert_problem(refused, 503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        other.rollback()
        assert house.call("PATCH", path, **change).status_code == 200


@contextmanager
def serving_timeout(cluster: Postgres, house: House, limit: str) -> Iterator[None]:
    """Give the serving role another timeout, and connections that have it."""
    change = "ALTER ROLE tasks_serve SET statement_timeout = '{}'"
    superuser(change.format(limit), cluster)
    house.close()
    try:
        yield
    finally:
        superuser(change.format("30s"), cluster)


def test_an_exhausted_pool_answers_503_with_retry_after_and_recovers(house: House) -> None:
    path = house.task()
    with house.app.app_context():
        engine = db.engine
    taken = [engine.connect() for _ in range(THREADS + 2)]
    began = time.monotonic()
    refused = house.call("PUT", path, json={}, headers={"If-Match": '"x"'})
    assert time.monotonic() - began < 8
    assert_problem(refused, 503, "unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    for connection in taken:
        connection.close()
    assert house.call("GET", path).status_code == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
def test_a_server_that_comes_back_is_used_again_without_a_restart_of_the_service(
    tmp_path: Path, how: signal.Signals
) -> None:
    with Postgres() as own:
        own.create("tasks")
        with running(tmp_path, own.settings("tasks")) as house:
            path = house.task()

            def get() -> int:
                status: int = house.call("GET", path).status_code
                return status

            all_at_once(get)  # so that there are several connections to lose
            superuser("CHECKPOINT", own)  # these servers write nothing to disk before they must
            own.stop(how)
            refused = house.call("GET", path)
            assert_problem(refused, 503, "unavailable")
            assert int(refused.headers["Retry-After"]) > 0
            own.start()
            codes = [get() for _ in range(2 * THREADS)]
            assert codes[-1] == 200, codes
            assert set(codes) <= {200, 503}
            assert set(all_at_once(get)) == {200}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_of_changes_to_one_version_at_once_one_wins_and_the_others_are_told(
    either: House, method: str
) -> None:
    path, barrier = either.task(), threading.Barrier(THREADS)
    headers = {"If-Match": either.call("GET", path).headers["ETag"]}
    body = {"title": "changed", "person": f"http://127.0.0.1:7001/users/{either.person}"}

    def change() -> int:
        barrier.wait(10)
        status: int = either.call(method, path, json=body, headers=headers).status_code
        return status

    codes = all_at_once(change)
    won, gone = {"PUT": (200, 412), "DELETE": (204, 404)}[method]
    assert codes.count(won) == 1, codes
    assert set(codes) <= {won, 412, gone}


def all_at_once(call: Callable[[], int]) -> list[int]:
    with ThreadPoolExecutor(THREADS) as pool:
        return [each.result() for each in [pool.submit(call) for _ in range(THREADS)]]
