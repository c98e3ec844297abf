"""``manage.py backup`` and ``restore``: the database as one file, and back."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import IO

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import MetaData, select
from sqlalchemy.exc import DBAPIError

from glassware.api.runtime import Runtime
from glassware.db import Database, now
from glassware.db.backup import Note, pack, unpack
from glassware.db.copies import Copies, CopyError, copies
from glassware.db.standing import Standing, standing

#: The file that is standard input or output: under sudo, the caller may write where we may not.
STANDARD = Path("-")
File = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


@click.command()
@click.argument("file", type=File)
@with_appcontext
def backup(file: Path) -> None:
    """Write the database to FILE.

    For -, to standard output. The service may run meanwhile.

    No secret of the configuration is in it. What the database holds is, so FILE is for its owner
    only.
    """
    with refusals():
        found, moment = keeper(), now()
        with workshop() as folder, output(file) as out:
            found.dump(folder / "copy")
            pack(out, folder / "copy", note(found.kind, moment))
    if file != STANDARD:
        click.echo(f"{file}: {file.stat().st_size:,} bytes.")


def note(kind: str, moment: datetime) -> Note:
    return Note(
        service=parts().service,
        release=parts().release,
        kind=kind,
        revision=where().current,
        taken_at=moment.isoformat(timespec="seconds"),
    )


@click.command()
@click.argument("file", type=File)
@click.option("--yes", is_flag=True, help="Replace a database that has rows in it.")
@with_appcontext
def restore(file: Path, yes: bool) -> None:
    """Put the backup in FILE in the place of the database.

    For -, the backup is read from standard input.

    It is checked to its last byte first. On SQLite, stop the service before.
    """
    with refusals(), workshop() as folder, source(file) as packed:
        found = keeper()
        about = unpack(packed, folder / "copy", parts().service, found)
        if not yes and (table := first_with_rows()):
            raise CopyError(f"There are rows in the table {table}: --yes replaces them all.")
        database().close()
        said = found.load(folder / "copy")
    click.echo(f"The database is as it was at {about.taken_at}. {said}".rstrip())
    click.echo(advice(where()))


def advice(found: Standing) -> str:
    """Return what is left to do after the restoration."""
    if found.ahead:
        return f"It is at {found.current}, of a version newer than this: better install that one."
    if found.current != found.newest:
        return f"It is at {found.current}, the code at {found.newest}: now run `db upgrade`."
    return f"It is at {found.current}, as the code is."


def parts() -> Runtime:
    found: Runtime = current_app.extensions["glassware"]
    return found


def database() -> Database:
    found = parts().database
    if found is None:
        raise CopyError(f"The {parts().service} service has no database.")
    return found


def keeper() -> Copies:
    database()
    config = parts().config
    return copies(config["database.migrations_url"] or config["database.url"])


def where() -> Standing:
    return standing(database(), current_app.config["MIGRATIONS"])


def first_with_rows() -> str | None:
    """Return the name of a table that is not empty."""
    found = MetaData()
    with database().engine.connect() as connection:
        found.reflect(connection)
        for table in found.sorted_tables:
            rows = select(table).limit(1)
            if table.name != "alembic_version" and connection.execute(rows).first():
                return table.name
    return None


@contextmanager
def workshop() -> Iterator[Path]:
    """Yield a folder of our own, where there is room for a database."""
    state: Path = parts().config["service.state_dir"]
    state.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".backup-", dir=state) as folder:
        yield Path(folder)


@contextmanager
def output(file: Path) -> Iterator[IO[bytes]]:
    """Yield what to write to; the file appears when all of it is on disk, or not at all."""
    if file == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as draft:
        try:
            yield draft
            draft.flush()
            os.fsync(draft.fileno())
            Path(draft.name).replace(file)
        finally:
            Path(draft.name).unlink(missing_ok=True)


@contextmanager
def source(file: Path) -> Iterator[IO[bytes]]:
    """Yield the file, or all of standard input, as what can be read in any order."""
    if file != STANDARD:
        with file.open("rb") as given:
            yield given
        return
    with workshop() as folder:
        kept = folder / "input"
        with kept.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        with kept.open("rb") as given:
            yield given


@contextmanager
def refusals() -> Iterator[None]:
    """Tell in one line what speaks against it."""
    try:
        yield
    except (CopyError, OSError) as error:
        raise click.ClickException(str(error)) from None
    except DBAPIError as error:
        raise click.ClickException(f"The database does not answer: {error.orig}") from None
