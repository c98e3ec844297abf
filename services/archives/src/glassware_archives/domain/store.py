"""Finished archives on disk. A file is there whole, with its facts, or it is not there."""

from __future__ import annotations

import io
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from glassware_archives.domain.engine import Stream

#: A file that is being written is nobody's when it has not grown for so many seconds.
ABANDONED = 3600
NAME = re.compile(r"(?P<id>[0-9a-f-]{36})\.(?P<fence>[0-9]+)(?P<part>\.part)?")


class Stored(NamedTuple):
    """A finished archive: its key, the name and format it was asked for, its digest."""

    key: str
    name: str
    format: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        """The name that it is saved by."""
        return f"{self.name}.{self.format}"


class Store:
    """The folder of the finished archives, each named by its job and the attempt that made it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(
        self,
        key: str,
        about: Mapping[str, Any],
        blocks: Stream,
        progress: Callable[[int], None],
    ) -> None:
        """Write the blocks to the file of the key; what fails leaves nothing behind."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft, size, digest = self.folder / f"{key}.part", 0, sha256()
        try:
            with closing(blocks), draft.open("wb") as file:
                for block in blocks:
                    file.write(block)
                    digest.update(block)
                    size += len(block)
                    progress(size)
                file.flush()
                os.fsync(file.fileno())
            facts = {"name": about["name"], "format": about["format"], "size": size}
            # The facts come first: where there is an archive, there are its facts.
            (self.folder / f"{key}.json").write_text(
                json.dumps({**facts, "sha256": digest.hexdigest()})
            )
            draft.replace(self.folder / key)
        finally:
            draft.unlink(missing_ok=True)

    def find(self, key: str) -> Stored | None:
        """Return the archive of the key."""
        if not self.folder.joinpath(key).exists():
            return None
        return Stored(key, **json.loads(self.folder.joinpath(f"{key}.json").read_text()))

    def open(self, stored: Stored) -> io.RawIOBase:
        """Return its bytes. Raises FileNotFoundError where it has just been removed."""
        return self.folder.joinpath(stored.key).open("rb", buffering=0)

    def link(self, _stored: Stored) -> str | None:
        """Return where a download is sent on to: nowhere."""
        return None

    def sweep(self, wanted: Callable[[UUID, int], bool]) -> None:
        """Remove what no job holds."""
        for path in self.folder.glob("*-*.*"):
            found = NAME.match(path.name)
            if found is None or wanted(UUID(found["id"]), int(found["fence"])):
                continue
            with suppress(FileNotFoundError):
                if found["part"] is None or time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()
