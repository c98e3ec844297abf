"""A whole database as one file, and back: what differs between SQLite and PostgreSQL."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen, run
from tempfile import TemporaryFile
from typing import Protocol

from sqlalchemy import URL, make_url

from glassware.db.onlooker import sqlite_file

#: Seconds to wait for a lock that somebody else holds.
PATIENCE = 10
#: All that migrations make. What the backup does not know would be in the way of the next ones.
CLEAR = """
DO $$ DECLARE each text; BEGIN
    FOR each IN
        SELECT format('TABLE public.%I', tablename) FROM pg_tables WHERE schemaname = 'public'
        UNION ALL
        SELECT format('TYPE public.%I', typname) FROM pg_type
        WHERE typtype = 'e' AND typnamespace = 'public'::regnamespace
    LOOP
        EXECUTE 'DROP ' || each || ' CASCADE';
    END LOOP;
END $$;
"""


class CopyError(Exception):
    """A copy cannot be made, or be put back; the message says why, and what to do."""


class Copies(Protocol):
    """Makes and puts back copies of one database. Both raise CopyError."""

    kind: str

    def dump(self, path: Path) -> None:
        """Write a consistent copy to the path, while the service reads and writes."""

    def check(self, path: Path) -> None:
        """Raise CopyError for a file that is no copy, or a damaged one."""

    def load(self, path: Path) -> str:
        """Put the copy in the place of all that is there, all or nothing; say what became of it."""


def copies(url: str) -> Copies:
    """Return what makes copies of the database at the URL. Raises CopyError."""
    if path := sqlite_file(url):
        return SQLiteCopies(path)
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return PostgresCopies(parsed)
    raise CopyError(f"There is no way to copy a database of the kind {parsed.drivername}.")


class SQLiteCopies:
    """By SQLite's own backup, then by renaming."""

    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path

    def dump(self, path: Path) -> None:
        if not self.path.exists():
            raise CopyError(f"There is no database {self.path}.")
        with reported(self.path), opened(self.path) as source, opened(path) as target:
            # All pages in one step: in WAL mode it stops nobody, and no write restarts it.
            source.backup(target)
            # Otherwise whoever opened the copy would leave two more files beside it.
            target.execute("PRAGMA journal_mode=DELETE")

    def check(self, path: Path) -> None:
        with reported(path), opened(path) as copy:
            faults = copy.execute("PRAGMA integrity_check").fetchall()
            if faults != [("ok",)] or copy.execute("PRAGMA foreign_key_check").fetchone():
                raise CopyError("The copy in it is damaged, as SQLite's own check says.")

    def load(self, path: Path) -> str:
        """Put the copy beside the database, then in its place; the service must be stopped."""
        fresh = self.path.with_name(f"{self.path.name}.restoring")
        former = self.path.with_name(f"{self.path.name}.before-restore")
        try:
            shutil.copyfile(path, fresh)
            belong_like(self.path if self.path.exists() else self.path.parent, fresh)
            sync(fresh)
            with alone(self.path):
                if self.path.exists() and self.path.stat().st_size:
                    former.unlink(missing_ok=True)
                    former.hardlink_to(self.path)
                fresh.replace(self.path)
            sync(self.path.parent)
        finally:
            fresh.unlink(missing_ok=True)
        return f"The database that was here is {former}." if former.exists() else ""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as connection:
        yield connection


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise CopyError(f"{path} cannot be read as a database: {error}.") from None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep everybody else out of the database, and its log merged into it, for the block.

    Raises CopyError while a process has it open: that process would go on writing to a file without
    a name, and the log of the former database would be applied to the new one. A file that is no
    database, or a broken one, keeps nobody out.
    """
    if not path.exists():
        yield
        return
    with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
        try:
            # Leaving WAL mode needs to be alone with the database, idle readers counted.
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise CopyError("The database is in use: stop the service first.") from None
            for end in ("-wal", "-shm", "-journal"):
                path.with_name(path.name + end).unlink(missing_ok=True)
        yield


def belong_like(model: Path, path: Path) -> None:
    """Give the file the model's owner where we may, and keep everybody else from it."""
    about = model.stat()
    path.chmod(0o600)
    with suppress(PermissionError):
        os.chown(path, about.st_uid, about.st_gid)


def sync(path: Path) -> None:
    """Have the file, or the names in the folder, on disk and not only in memory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class PostgresCopies:
    """By PostgreSQL's own programs, as the role that owns the schema."""

    kind = "postgresql"

    def __init__(self, url: URL) -> None:
        # The password goes by the environment: every user of the machine sees the arguments.
        self.target = url.set(drivername="postgresql", password=None).render_as_string()
        self.environ = {"PGPASSWORD": str(url.password)} if url.password else {}
        self.environ |= {"PGCONNECT_TIMEOUT": "10", "PGAPPNAME": "glassware"}

    def dump(self, path: Path) -> None:
        # Uncompressed, for it is compressed with what it is packed into. Neither owners nor grants:
        # they are of the database that it will be restored into.
        self.run("pg_dump", "--format=custom", "--compress=0", "--no-owner", "--no-privileges",
                 f"--lock-wait-timeout={PATIENCE}s", f"--file={path}", self.target)  # fmt: skip

    def check(self, path: Path) -> None:
        self.run("pg_restore", "--list", str(path))

    def load(self, path: Path) -> str:
        """Restore in one transaction; the service may be running, and waits meanwhile."""
        reader = [program("pg_restore"), "--no-owner", "--no-privileges", "--schema=public",
                  "--file=-", str(path)]  # fmt: skip
        writer = [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.devnull,
                  "-d", self.target]  # fmt: skip
        environ = self.environment()
        with (
            TemporaryFile() as said,
            Popen(reader, stdout=PIPE, stderr=said) as source,
            Popen(writer, stdin=PIPE, stderr=said, env=environ) as target,
        ):
            assert source.stdout is not None
            assert target.stdin is not None
            with suppress(BrokenPipeError), target.stdin as script:
                script.write(f"BEGIN;{CLEAR}".encode())
                shutil.copyfileobj(source.stdout, script)
                # Whatever ends before this is undone: a session that ends takes all back.
                script.write(b"\nCOMMIT;" if source.wait() == 0 else b"\nROLLBACK;")
            source.stdout.close()
            if source.wait() or target.wait():
                said.seek(0)
                raise CopyError(f"Nothing was changed. PostgreSQL: {last_line(said.read())}")
        return ""

    def run(self, name: str, *words: str) -> None:
        command: Sequence[str] = [program(name), *words]
        done = run(command, env=self.environment(), capture_output=True, check=False)
        if done.returncode:
            raise CopyError(f"{name} failed: {last_line(done.stderr)}")

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, **self.environ}


def program(name: str) -> str:
    """Return the path of a program of PostgreSQL's. Raises CopyError."""
    found = shutil.which(name)
    if found is None:
        raise CopyError(f"The program {name} is missing: apt install postgresql-client.")
    return found


def last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "without a word"
