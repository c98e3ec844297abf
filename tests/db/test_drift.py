"""What differs between the models and the database is told in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    UniqueConstraint,
    create_engine,
)

from glassware.cli.database import db as commands
from glassware.db.base import NAMING
from glassware.db.drift import drift
from glassware.testing.postgres import Postgres
from glassware_tasks.app import service as tasks
from glassware_tasks.models import db


def models() -> MetaData:
    metadata = MetaData(naming_convention=NAMING)
    Table("people", metadata, Column("id", Integer, primary_key=True), Column("name", String(9)))
    Table(
        "pets",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(9), nullable=False),
        Column("person_id", Integer, ForeignKey("people.id")),
        Index("ix_pets_name", "name"),
        UniqueConstraint("name", "person_id"),
    )
    return metadata


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    url = "sqlite://"
    if request.param == "postgresql":
        cluster = request.getfixturevalue("cluster")
        url = f"postgresql+psycopg://postgres@/postgres?host={cluster.folder}"
    with create_engine(url, poolclass=NullPool).connect() as connection:
        models().create_all(connection)
        yield connection
        connection.rollback()


CHANGES = {
    "ALTER TABLE pets ADD COLUMN age INTEGER": "column pets.age: no model has it",
    "ALTER TABLE people DROP COLUMN name": (
        "column people.name: the models have it, the database lacks it"
    ),
    "CREATE TABLE toys (id INTEGER)": "table toys: no model has it",
    "DROP INDEX ix_pets_name": (
        "index ix_pets_name on pets (name): the models have it, the database lacks it"
    ),
    "CREATE INDEX mine ON pets (person_id)": "index mine on pets (person_id): no model has it",
}


def test_nothing_differs_from_what_the_models_made(connection: Connection) -> None:
    assert drift(connection, models()) == []


@pytest.mark.parametrize("statement", CHANGES)
def test_a_change_is_told(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)
    assert drift(connection, models()) == [CHANGES[statement]]


def test_a_table_that_is_missing_is_told(connection: Connection) -> None:
    connection.exec_driver_sql("DROP TABLE pets")
    assert "table pets: the models have it, the database lacks it" in drift(connection, models())


def test_what_a_column_is_and_ought_to_be_is_told(connection: Connection) -> None:
    connection.exec_driver_sql("DROP TABLE pets")
    connection.exec_driver_sql(
        "CREATE TABLE pets (id INTEGER NOT NULL PRIMARY KEY, name INTEGER, person_id INTEGER)"
    )
    told = drift(connection, models())
    assert "column pets.name: nullable is True in the database, False in the models" in told
    assert "column pets.name: type is INTEGER in the database, VARCHAR(9) in the models" in told
    assert any(each.startswith("foreign key fk_pets_person_id_people on pets") for each in told)
    assert any(each.startswith("unique constraint uq_pets_name_person_id on pets") for each in told)


def test_the_verb_exits_with_1_where_something_differs(tmp_path: Path) -> None:
    folders = {"service.state_dir": str(tmp_path), "service.secrets_dir": str(tmp_path / "secrets")}
    app = tasks.create_app({"service.mode": "development", **folders}, environ={})

    def manage(word: str) -> tuple[int, str]:
        done = app.test_cli_runner().invoke(commands, [word])
        return done.exit_code, done.output

    code, said = manage("check")
    assert code == 1
    assert "The database is at None, the code at 0" in said
    manage("upgrade")
    code, said = manage("check")
    assert code == 0
    assert said.endswith("and as the models are.\n")
    with app.app_context():
        with db.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE tasks ADD COLUMN mine INTEGER")
        db.close()
    assert manage("check") == (
        1,
        "Error: The database differs:\n  column tasks.mine: no model has it\n",
    )
    with app.app_context():
        db.close()
