"""Backup and restore, on SQLite and on PostgreSQL, while the service writes."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from click.testing import Result
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import NullPool, create_engine, select, text

from glassware.cli.backup import backup, restore
from glassware.cli.database import db as migrations
from glassware.db.backup import Note, pack, unpack
from glassware.db.copies import CopyError, SQLiteCopies
from glassware.service import Service
from glassware.testing.postgres import Postgres
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks
from glassware_tasks.models import Task, db

TITLES = [f"task {number} " + "x" * 80 for number in range(3000)]


class Place:
    """A machine with the service on it."""

    def __init__(self, service: Service, folder: Path, settings: dict[str, str]) -> None:
        folder.mkdir()
        self.folder = folder
        self.settings = {
            "service.mode": "development",
            "service.state_dir": str(folder),
            "service.secrets_dir": str(folder / "secrets"),
            **settings,
        }
        self.service = service
        self.app: Flask = service.create_app(self.settings, environ={})
        self.run(migrations, "upgrade")

    def run(self, command: object, *words: object, code: int = 0, input: bytes = b"") -> Result:
        done = self.app.test_cli_runner().invoke(
            command, [str(word) for word in words], input=input
        )
        assert done.exit_code == code, (done.output, done.exception)
        return done

    def close(self) -> None:
        with self.app.app_context():
            self.service.database.close()

    @property
    def sqlite(self) -> Path:
        return self.folder / f"{self.service.name}.sqlite"

    def write(self, *titles: str) -> None:
        """Write the tasks in one transaction."""
        with self.app.app_context():
            person = uuid4()
            db.session.add_all(Task(title=title, person_id=person, done=False) for title in titles)
            db.session.commit()

    def rows(self) -> dict[UUID, tuple[object, ...]]:
        columns = Task.__table__.columns
        with self.app.app_context():
            return {row.id: tuple(row) for row in db.session.execute(select(*columns))}

    def sql(self, *statements: str) -> None:
        """Change the schema, as its owner does."""
        engine = create_engine(self.owner, poolclass=NullPool)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    @property
    def owner(self) -> str:
        return self.settings.get("database.migrations_url", f"sqlite:///{self.sqlite}")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Place]]:
    """Make a machine: ``place("here")``."""
    with ExitStack() as stack:

        def make(name: str, service: Service = tasks) -> Place:
            settings = {}
            if request.param == "postgresql":
                cluster = request.getfixturevalue("cluster")
                monkeypatch.setenv("PATH", f"{cluster.programs}{os.pathsep}{os.environ['PATH']}")
                database = f"{name}_{uuid4().hex[:8]}"
                cluster.create(database)
                settings = cluster.settings(database)
            made = Place(service, tmp_path / name, settings)
            stack.callback(made.close)
            return made

        yield make


@contextmanager
def writing(place: Place) -> Iterator[list[int]]:
    """Write pairs of tasks from several threads; yield how many were written, growing."""
    stop, counts = threading.Event(), [0, 0, 0]

    def work(thread: int) -> None:
        while not stop.is_set():
            pair = f"pair {thread} {counts[thread]}"
            place.write(f"{pair} first", f"{pair} second")
            counts[thread] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(counts))]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 10
        while min(counts) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def test_a_backup_under_writes_is_one_moment_and_comes_back_as_it_was(
    place: Callable[..., Place], tmp_path: Path
) -> None:
    here, there, file = place("here"), place("there"), tmp_path / "tasks.backup"
    here.write(*TITLES)
    with writing(here) as counts:
        before, began = here.rows(), sum(counts)
        here.run(backup, file)
        ended, after = sum(counts), here.rows()
    assert ended > began, "nothing was written meanwhile: the test shows nothing"
    assert "as the code is" in there.run(restore, file).output
    kept = there.rows()
    assert kept.items() >= before.items(), "all that was committed before is in it"
    assert kept.items() <= after.items(), "and nothing else"
    titles = [str(row[list(Task.__table__.columns.keys()).index("title")]) for row in kept.values()]
    pairs = {title.rpartition(" ")[0] for title in titles if title.startswith("pair")}
    halves = [title for title in titles if title.startswith("pair")]
    assert len(halves) == 2 * len(pairs), "no half of a transaction"
    there.write("the restored service goes on writing")
    assert len(there.rows()) == len(kept) + 1


def test_rows_are_replaced_only_when_asked_to(place: Callable[..., Place], tmp_path: Path) -> None:
    here, file = place("here"), tmp_path / "tasks.backup"
    here.write("kept")
    here.run(backup, file)
    here.write("written later")
    refused = here.run(restore, file, code=1)
    assert "rows in the table tasks" in refused.output
    assert "--yes" in refused.output
    assert len(here.rows()) == 2
    here.run(restore, file, "--yes")
    assert [row for row in here.rows().values() if "kept" in row]
    assert len(here.rows()) == 1


def test_a_backup_of_another_release_says_what_to_do(
    place: Callable[..., Place], tmp_path: Path
) -> None:
    here, older, newer = place("here"), tmp_path / "older", tmp_path / "newer"
    here.sql("UPDATE alembic_version SET version_num = '0000'")
    here.run(backup, older)
    here.sql("CREATE TABLE later (id INTEGER)", "UPDATE alembic_version SET version_num = '9999'")
    here.run(backup, newer)
    assert "now run `db upgrade`" in here.run(restore, older).output
    with pytest.raises(Exception, match="later"):
        here.sql("INSERT INTO later VALUES (1)")
    assert "install that one" in here.run(restore, newer).output
    here.sql("INSERT INTO later VALUES (1)")


def test_a_backup_goes_through_a_pipe(place: Callable[..., Place]) -> None:
    here, there = place("here"), place("there")
    here.write("sent")
    packed = here.run(backup, "-").stdout_bytes
    there.run(restore, "-", input=packed)
    assert there.rows() == here.rows()


def test_a_backup_holds_no_secret_and_is_for_its_owner_only(
    place: Callable[..., Place], tmp_path: Path
) -> None:
    here, file = place("here"), tmp_path / "tasks.backup"
    here.run(backup, file)
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as packed:
        content = b"".join(packed.read(name) for name in packed.namelist())
    for secret in (here.folder / "secrets").iterdir():
        assert secret.read_bytes().strip() not in content
    assert str(here.settings.get("database.url", "nothing")).encode() not in content


def test_a_backup_that_fails_leaves_nothing_behind(
    place: Callable[..., Place], tmp_path: Path
) -> None:
    here, target = place("here"), tmp_path / "target"
    target.mkdir()
    (target / "tasks.backup").write_text("the one of yesterday")
    here.close()
    if here.sqlite.exists():
        here.sqlite.unlink()
        here.sqlite.mkdir()
    else:
        nowhere = {**here.settings, "database.migrations_url": here.owner + "&port=1"}
        here.app = here.service.create_app(nowhere, environ={})
    failed = here.run(backup, target / "tasks.backup", code=1)
    assert failed.output.startswith("Error: ")
    assert [path.name for path in target.iterdir()] == ["tasks.backup"]
    assert (target / "tasks.backup").read_text() == "the one of yesterday"


def test_another_services_backup_is_refused(place: Callable[..., Place], tmp_path: Path) -> None:
    people, here = place("people", auth), place("here")
    people.run(backup, tmp_path / "auth.backup")
    refused = here.run(restore, tmp_path / "auth.backup", code=1)
    assert "a backup of auth" in refused.output
    assert "this is tasks" in refused.output


@pytest.mark.processes
def test_a_restore_that_is_killed_leaves_the_old_rows_or_the_new(
    place: Callable[..., Place], tmp_path: Path
) -> None:
    here, there, file = place("here"), place("there"), tmp_path / "tasks.backup"
    here.write(*TITLES)
    here.run(backup, file)
    new = here.rows()
    seen = set()
    for delay in (0, 2, 8, 32, 500):
        there.sql("DELETE FROM tasks")
        there.write("old")
        old = there.rows()
        there.close()
        restore_and_kill(there, file, delay / 1000)
        kept = settled(there)
        assert kept in (old, new)
        seen.add(len(kept))
        there.write("the database can still be written")
    assert len(new) in seen, "the longest delay let it finish"


SCRIPT = """
import sys
from pathlib import Path
from glassware.db.backup import unpack
from glassware.db.copies import copies

keeper, copy = copies(sys.argv[1]), Path(sys.argv[3])
with open(sys.argv[2], "rb") as packed:
    unpack(packed, copy, "tasks", keeper)
print("begins", flush=True)
keeper.load(copy)
"""


def restore_and_kill(place: Place, file: Path, delay: float) -> None:
    copy = file.with_name("copy")
    command = [sys.executable, "-c", SCRIPT, place.owner, str(file), str(copy)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        time.sleep(delay)
        process.kill()


def settled(place: Place) -> dict[UUID, tuple[object, ...]]:
    """Return the rows once nobody changes them: psql outlives its parent by a moment."""
    time.sleep(0.3)
    return place.rows()


# SQLite's files


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    made = Place(tasks, tmp_path / "here", {})
    yield made
    made.close()


def test_a_database_in_use_is_not_replaced(here: Place, tmp_path: Path) -> None:
    here.write("old")
    here.run(backup, tmp_path / "b")
    with sqlite3.connect(here.sqlite) as other:
        other.execute("SELECT count(*) FROM tasks").fetchone()
        refused = here.run(restore, tmp_path / "b", "--yes", code=1)
        assert "stop the service first" in refused.output
        assert other.execute("SELECT title FROM tasks").fetchone() == ("old",)
    other.close()
    here.run(restore, tmp_path / "b", "--yes")


def test_the_former_database_is_kept_with_all_that_was_in_its_log(
    here: Place, tmp_path: Path
) -> None:
    here.run(backup, tmp_path / "b")
    reader = sqlite3.connect(here.sqlite)
    reader.execute("SELECT * FROM tasks").fetchall()
    here.write("only in the log")
    assert here.sqlite.with_name("tasks.sqlite-wal").stat().st_size > 0
    reader.close()
    here.run(restore, tmp_path / "b", "--yes")
    former = sqlite3.connect(here.sqlite.with_name("tasks.sqlite.before-restore"))
    assert former.execute("SELECT title FROM tasks").fetchall() == [("only in the log",)]
    former.close()
    assert here.rows() == {}


def test_a_broken_database_is_replaced(here: Place, tmp_path: Path) -> None:
    here.write("good")
    here.run(backup, tmp_path / "b")
    good = here.rows()
    here.close()
    here.sqlite.write_bytes(b"no database at all" * 100)
    here.sqlite.with_name("tasks.sqlite-wal").write_bytes(b"nor a log")
    refused = here.run(restore, tmp_path / "b", code=1)
    assert "Traceback" not in refused.output
    here.close()
    here.run(restore, tmp_path / "b", "--yes")
    assert here.rows() == good


def test_the_restored_file_is_as_private_as_it_can_be(here: Place, tmp_path: Path) -> None:
    here.run(backup, tmp_path / "b")
    here.close()
    here.sqlite.chmod(0o644)
    os.chown(here.sqlite, os.getuid(), os.getgid())
    here.run(restore, tmp_path / "b", "--yes")
    assert here.sqlite.stat().st_mode & 0o777 == 0o600


# The file of a backup


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small backup of a database with rows."""
    folder = tmp_path_factory.mktemp("packed")
    with sqlite3.connect(folder / "copy") as copy:
        copy.execute("CREATE TABLE t (a)")
        copy.executemany("INSERT INTO t VALUES (?)", [(os.urandom(50),) for _ in range(20)])
    copy.close()
    out = io.BytesIO()
    pack(out, folder / "copy", Note("tasks", "1.0", "sqlite", "0001", "2026-01-01T00:00:00+00:00"))
    return out.getvalue()


def opened(data: bytes, folder: Path) -> bytes | None:
    """Return the database in the backup, None where it is refused."""
    copy = folder / "unpacked"
    try:
        unpack(io.BytesIO(data), copy, "tasks", SQLiteCopies(folder / "database"))
    except CopyError:
        return None
    return copy.read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unpacked")


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_backup_is_refused(packed: bytes, folder: Path, share: float) -> None:
    assert opened(packed, folder) is not None
    assert opened(packed[: int(share * len(packed))], folder) is None


@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_backup_with_a_flipped_bit_is_refused_or_the_same(
    packed: bytes, folder: Path, share: float, bit: int
) -> None:
    damaged = bytearray(packed)
    damaged[int(share * len(packed))] ^= 1 << bit
    assert opened(bytes(damaged), folder) in (None, opened(packed, folder))


@given(data=st.binary(max_size=200))
def test_what_is_no_backup_is_refused(folder: Path, data: bytes) -> None:
    assert opened(data, folder) is None


def test_a_backup_of_a_newer_form_is_refused(packed: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(packed)) as old:
        note, copy = json.loads(old.read("backup.json")), old.read("database")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        new.writestr("backup.json", json.dumps({**note, "format": 2}))
        new.writestr("database", copy)
    with pytest.raises(CopyError, match="newer version"):
        unpack(io.BytesIO(out.getvalue()), folder / "x", "tasks", SQLiteCopies(folder / "d"))


def test_a_copy_that_breaks_its_own_rules_is_refused(folder: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "copy") as copy:
        copy.execute("CREATE TABLE a (id INTEGER PRIMARY KEY)")
        copy.execute("CREATE TABLE b (a_id REFERENCES a (id))")
        copy.execute("INSERT INTO b VALUES (7)")
    copy.close()
    with pytest.raises(CopyError, match="damaged"):
        SQLiteCopies(folder / "d").check(tmp_path / "copy")
