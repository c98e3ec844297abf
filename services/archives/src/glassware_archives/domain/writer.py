"""What the two back ends have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from glassware_archives.domain.entries import Block, Entry


class Writer(Protocol):
    """An archive being written; what it made is taken away with ``drain``."""

    #: The length of the blocks that ``write`` takes; an entry that is shorter is added whole.
    block: int

    def add(self, entry: Entry, content: bytes) -> None:
        """Write a whole entry; of a link, its target."""

    def begin(self, entry: Entry, size: int | None) -> None:
        """Begin a file; its content follows in ``write``."""

    def write(self, block: Block) -> None:
        """Write a block; only the last of a file may be shorter than ``block``."""

    def end(self) -> None:
        """End the file."""

    def cut(self) -> int | None:
        """End the file whose source failed, if one has begun; return how much of it there is.

        None where that cannot be: then the archive has failed.
        """

    def finish(self) -> None:
        """Write what comes after the last entry."""

    def drain(self) -> Iterable[bytes]:
        """Return what was made since, once it is worth it."""

    def rest(self) -> Iterable[bytes]:
        """Return all that was made since."""
