"""What an archive is made of, and what it may cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

# The first moment that a zip can state: an entry without a date must not take the clock's.
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)


#: A block of content, in the pieces that it came in: put together by whoever needs it whole.
Block = list[bytes | memoryview]
Kind = Literal["file", "directory", "symlink"]
_TYPES = {"file": 0o100000, "directory": 0o040000, "symlink": 0o120000}
_USUAL = {"file": 0o100644, "directory": 0o040755, "symlink": 0o120777}


class Entry(NamedTuple):
    """One file, directory or symbolic link of an archive.

    ``content`` is read once, in order, and closed if it can be; its chunks are bytes-like, of any
    length. ``size`` in bytes is a promise that is checked; None when it is not known. ``modified``
    is aware, from 1970 to 2105, and kept to the second. ``mode`` is the permissions, ``target``
    where a link points to; a directory and a link have no content.
    """

    name: str
    content: Iterable[bytes | bytearray | memoryview] = ()
    size: int | None = None
    modified: datetime = EARLIEST
    kind: Kind = "file"
    mode: int | None = None
    target: str = ""

    @property
    def st_mode(self) -> int:
        """Type and permissions, as stat(2) has them."""
        return _USUAL[self.kind] if self.mode is None else _TYPES[self.kind] | self.mode


@dataclass(frozen=True)
class Limits:
    """What one archive may cost: bytes of content, seconds from the first entry to the last byte.

    ``max_spool`` bounds what is put aside on disk: one entry of unknown size in a format that
    must state it, and the whole content of a format that is only sent when it is complete.
    """

    max_entries: int = 10_000
    max_bytes: int = 1024**3
    max_seconds: float = 600.0
    max_spool: int = 64 * 1024**2
