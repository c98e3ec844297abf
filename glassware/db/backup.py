"""Backups: a zip with a copy of the database and a note on what it is a copy of."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from glassware.db.copies import Copies, CopyError

FORMAT = 1
NOTE, COPY = "backup.json", "database"
#: What reading a damaged zip, or the note of something else, may raise.
DAMAGE = (BadZipFile, EOFError, KeyError, RuntimeError, TypeError, ValueError, zlib.error)


@dataclass(frozen=True)
class Note:
    """What a backup is of; ``revision`` is the migration that its database is at."""

    service: str
    release: str
    kind: str
    revision: str | None
    taken_at: str
    format: int = FORMAT


def pack(out: IO[bytes], copy: Path, note: Note) -> None:
    """Write the backup, to what need not be able to seek."""
    with ZipFile(out, "w", ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr(NOTE, json.dumps(asdict(note), indent=2))
        packed.write(copy, COPY)


def unpack(file: IO[bytes], copy: Path, service: str, copies: Copies) -> Note:
    """Write the copy to the path, checked to the last byte; return what it is of.

    Raises CopyError for a file that is no backup, a damaged or cut one, or another service's.
    """
    with damage_reported(), ZipFile(file) as packed:
        note = Note(**json.loads(packed.read(NOTE)))
        if note.format != FORMAT:
            raise CopyError("The backup was made by a newer version, in a form of its own.")
        if (note.service, note.kind) != (service, copies.kind):
            raise CopyError(
                f"It is a backup of {note.service} on {note.kind},"
                f" and this is {service} on {copies.kind}."
            )
        with packed.open(COPY) as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
    copies.check(copy)
    return note


@contextmanager
def damage_reported() -> Iterator[None]:
    """Say the same of whatever is wrong with the file."""
    try:
        yield
    except DAMAGE as error:
        raise CopyError(f"It is no backup, or not all of one: {error}.") from None
