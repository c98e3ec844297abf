"""The migrations of every service make what its models say, and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, select

from glassware.db import now
from glassware.db.drift import drift
from glassware.db.once import PORTION, sweep_out
from glassware.db.standing import newest
from glassware.testing import Mesh

FOLDERS = sorted((Path(__file__).parents[2] / "services").glob("*/src/*/migrations"))
PACKAGES = [folder.parent.name for folder in FOLDERS]


@pytest.fixture(params=PACKAGES)
def database(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The database of a new app of the service, within the app's context."""
    service = import_module(f"{request.param}.app").service
    with Mesh([service]) as mesh, mesh.apps[service.name].app_context():
        yield service.database


def differences(database: Any) -> list[str]:
    with database.engine.connect() as connection:
        return drift(connection, database.metadata)


def tables(database: Any) -> set[str]:
    return set(inspect(database.engine).get_table_names()) - {"alembic_version"}


def test_the_services_with_rows_are_here() -> None:
    assert {"glassware_auth", "glassware_tasks"} <= set(PACKAGES)


def test_the_migrations_make_what_the_models_say(database: Any) -> None:
    assert tables(database) == set(database.metadata.tables)
    assert differences(database) == []


def test_the_migrations_can_be_taken_back_and_made_again(database: Any) -> None:
    flask_migrate.downgrade(revision="base")
    assert tables(database) == set()
    assert differences(database) != []
    flask_migrate.upgrade()
    assert differences(database) == []


def test_every_constraint_has_a_name(database: Any) -> None:
    for table in database.metadata.sorted_tables:
        for constraint in (*table.constraints, *table.indexes):
            assert constraint.name, f"{table.name}: {constraint}"
    inspected = inspect(database.engine)
    for table in tables(database):
        assert inspected.get_pk_constraint(table)["name"] == f"pk_{table}"
        for key in inspected.get_foreign_keys(table):
            assert str(key["name"]).startswith(f"fk_{table}_")


def test_a_migration_leaves_no_setting_of_its_own_behind(database: Any) -> None:
    question, answer = {
        "sqlite": ("PRAGMA busy_timeout", 5000),
        "postgresql": ("SHOW lock_timeout", "0"),
    }[database.engine.dialect.name]
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql(question).scalar() == answer


def test_all_that_is_over_is_swept_out_and_nothing_else(database: Any) -> None:
    moment = now()
    rows = [
        {"digest": str(number), "expires_at": moment + timedelta(seconds=number - PORTION - 5)}
        for number in range(PORTION + 100)
    ]
    nonces = database.metadata.tables["nonces"]
    with database.engine.begin() as connection:
        connection.execute(insert(nonces), rows)
    found = sweep_out(database.engine, database.metadata)
    assert found.pop("nonces") >= PORTION + 5
    assert found == dict.fromkeys(found, 0)
    assert "idempotency_keys" in found
    with database.engine.connect() as connection:
        left = set(connection.scalars(select(nonces.c.digest)))
    assert {str(number) for number in range(PORTION + 60, PORTION + 100)} <= left
    assert not left & {str(number) for number in range(PORTION + 5)}


@pytest.mark.parametrize("folder", FOLDERS, ids=PACKAGES)
def test_the_newest_migration_is_the_one_that_alembic_would_run_to(folder: Path) -> None:
    assert newest(str(folder)) == ScriptDirectory(str(folder)).get_current_head() is not None
