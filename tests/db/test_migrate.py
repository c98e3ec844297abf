"""Migrations: all or none, one process at a time, and no harm done by an older version."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import inspect, text

from glassware.cli.database import db as commands
from glassware.db import Database
from glassware.db.standing import Standing, require_head
from glassware.problems import UnavailableProblem
from glassware.testing.postgres import Postgres

ROOT = Path(__file__).parents[2]

ENVIRONMENT = "from glassware.db.migrate import run\n\nrun()\n"
FIRST = """
    op.create_table("people", sa.Column("id", sa.Integer(), primary_key=True))
    op.create_table(
        "pets",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], ondelete="CASCADE"),
    )
    op.execute("INSERT INTO people VALUES (1)")
    op.execute("INSERT INTO pets VALUES (1, 1)")
"""
REBUILD = """
    with op.batch_alter_table("people", recreate="auto") as table:
        table.add_column(sa.Column("name", sa.String(9), nullable=False, server_default="Ann"))
        table.create_unique_constraint("uq_people_name", ["name"])
"""
BREAKING = """
    op.create_table("toys", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO people (id, name) VALUES (2, 'Bob')")
    op.execute("INSERT INTO nowhere VALUES (1)")
"""
SLOW = """
    op.create_table("toys", sa.Column("id", sa.Integer(), primary_key=True))
    import pathlib, time
    pathlib.Path({mark!r}).touch()
    time.sleep({seconds})
"""
PROCESS = """
import sys
from flask import Flask
from flask_migrate import upgrade
from glassware.db import Database
from glassware.db.migrate import prepare

app = Flask("pets")
app.config.update(
    SQLALCHEMY_DATABASE_URI=sys.argv[1], MIGRATIONS_URL="", MIGRATIONS=sys.argv[2]
)
database = Database()
database.init_app(app)
prepare(app)
with app.app_context():
    upgrade()
"""


class House:
    """An app with migrations that the test writes."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text(ENVIRONMENT)
        template = ROOT / "services/tasks/src/glassware_tasks/migrations/script.py.mako"
        (folder / "script.py.mako").write_text(template.read_text())
        self.database = Database()
        self.app = Flask("pets")
        self.app.config.update(
            SQLALCHEMY_DATABASE_URI=url, MIGRATIONS_URL="", MIGRATIONS=str(folder)
        )
        self.database.init_app(self.app)
        self.count = 0

    def add(self, body: str) -> Path:
        """Write the next migration."""
        self.count += 1
        down = f"{self.count - 1:04}" if self.count > 1 else None
        path = self.folder / "versions" / f"{self.count:04}.py"
        path.write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n\n"
            f'revision = "{self.count:04}"\ndown_revision = {down!r}\n\ndef upgrade():{body}\n'
        )
        return path

    def manage(self, *words: str) -> tuple[int, str]:
        """Run ``manage.py db`` with the words; return its status and what it printed."""
        done = self.app.test_cli_runner().invoke(commands, words)
        return done.exit_code, done.output + str(done.exception or "")

    def start(self) -> subprocess.Popen[bytes]:
        """Begin the migrations in another process."""
        command = [sys.executable, "-c", PROCESS, self.url, str(self.folder)]
        return subprocess.Popen(command, stderr=subprocess.PIPE)

    def ask(self, query: str) -> list[tuple[object, ...]]:
        with self.app.app_context(), self.database.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def tables(self) -> set[str]:
        with self.app.app_context():
            return set(inspect(self.database.engine).get_table_names())

    def ready(self) -> None:
        with self.app.app_context():
            require_head(self.database, str(self.folder))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with Postgres() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    url = f"sqlite:///{tmp_path / 'pets.sqlite'}"
    if request.param == "postgresql":
        cluster, name = request.getfixturevalue("cluster"), f"pets_{uuid4().hex[:8]}"
        cluster.create(name)
        url = cluster.url(name, "migrate")
    house = House(url, tmp_path / "migrations")
    house.add(FIRST)
    assert house.manage("upgrade") == (0, "The database was at None, and is at 0001.\n")
    yield house
    with house.app.app_context():
        house.database.engine.dispose()


def test_a_migration_that_fails_is_undone_with_those_before_it(house: House) -> None:
    house.add(REBUILD)
    house.add(BREAKING)
    code, printed = house.manage("upgrade")
    assert code == 1
    assert "nowhere" in printed
    assert house.tables() == {"alembic_version", "people", "pets"}
    assert house.ask("SELECT * FROM people") == [(1,)]
    assert house.ask("SELECT version_num FROM alembic_version") == [("0001",)]
    with pytest.raises(UnavailableProblem, match="at 0001, the code at 0003"):
        house.ready()


def test_a_table_that_is_rebuilt_keeps_the_rows_that_refer_to_it(house: House) -> None:
    house.add(REBUILD)
    assert house.manage("upgrade")[0] == 0
    assert house.ask("SELECT * FROM people") == [(1, "Ann")]
    assert house.ask("SELECT * FROM pets") == [(1, 1)]


def test_the_application_still_enforces_foreign_keys_after_a_migration(house: House) -> None:
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        house.ask("INSERT INTO pets VALUES (2, 99) RETURNING id")


def test_a_migration_that_orphans_a_row_is_undone(house: House) -> None:
    house.add('\n    op.execute("DELETE FROM people")\n    op.execute("UPDATE pets SET id = 7")\n')
    code, _ = house.manage("upgrade")
    # PostgreSQL cascades as it goes; SQLite's keys are off, and looked at in the end.
    sqlite = house.url.startswith("sqlite")
    assert code == (1 if sqlite else 0)
    assert house.ask("SELECT * FROM pets") == ([(1, 1)] if sqlite else [])


def test_an_older_version_serves_a_newer_database_and_leaves_it_alone(house: House) -> None:
    path = house.add(REBUILD)
    assert house.manage("upgrade")[0] == 0
    path.unlink()
    house.ready()
    code, printed = house.manage("upgrade")
    assert (code, printed) == (
        0,
        "The database is at 0002, made by a newer version. Nothing to do.\n",
    )
    assert house.ask("SELECT version_num FROM alembic_version") == [("0002",)]


@pytest.mark.parametrize("foreign", ["3f2a91bc77de", "99", "0000"])
def test_a_database_of_another_origin_is_not_taken_for_a_newer_one(
    house: House, foreign: str
) -> None:
    with house.app.app_context(), house.database.engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{foreign}'"))
    assert house.manage("upgrade")[0] == 1
    with pytest.raises(UnavailableProblem):
        house.ready()


def test_an_empty_database_is_not_ahead() -> None:
    assert not Standing(None, "0001").ahead
    assert not Standing(None, None).ahead
    assert not Standing("0001", "0001").ahead


def test_processes_that_migrate_at_once_do_it_once(house: House, tmp_path: Path) -> None:
    house.add(SLOW.format(mark=str(tmp_path / "mark"), seconds=0.5))
    runs = [house.start() for _ in range(4)]
    endings = [(run.communicate(timeout=60)[1], run.returncode) for run in runs]
    assert [code for _, code in endings] == [0] * 4, endings
    assert "toys" in house.tables()


def test_a_migration_that_is_killed_can_be_run_again(house: House, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = house.add(SLOW.format(mark=str(mark), seconds=60))
    run = house.start()
    deadline = time.monotonic() + 30
    while not mark.exists() and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=10)
    path.write_text(path.read_text().replace("time.sleep(60)", ""))
    assert "toys" not in house.tables()
    assert house.manage("upgrade")[0] == 0
    assert "toys" in house.tables()


def test_a_new_migration_is_numbered_after_the_newest(house: House) -> None:
    code, printed = house.manage("migrate", "-m", "drop all")
    assert code == 0, printed
    assert [path.name for path in sorted((house.folder / "versions").glob("0002*"))] == [
        "0002_drop_all.py"
    ]


@pytest.mark.parametrize(
    "folder", sorted(ROOT.glob("services/*/src/*/migrations")), ids=lambda path: path.parent.name
)
def test_the_migrations_of_every_service_are_numbered(folder: Path) -> None:
    revisions = [script.revision for script in ScriptDirectory(str(folder)).walk_revisions()]
    assert sorted(revisions) == [f"{number:04}" for number in range(1, len(revisions) + 1)]
