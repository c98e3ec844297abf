"""Bytes put aside: a little in memory, the rest in a temporary file without a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import IO

BLOCK = 64 * 1024
MEMORY = 1024 * 1024


class Spool:
    """A first-in, first-out store of blocks; the first ``MEMORY`` bytes stay in memory."""

    def __init__(self, create: Callable[[], IO[bytes]] = TemporaryFile) -> None:
        self.size = 0
        self._blocks: list[bytes] = []
        self._create = create
        self._file: IO[bytes] | None = None

    def write(self, block: bytes) -> None:
        """Put a block behind the others."""
        self.size += len(block)
        if self._file is None and self.size > MEMORY:
            self._file = self._create()
        if self._file is None:
            self._blocks.append(block)
        else:
            self._file.write(block)

    def drain(self) -> Iterator[bytes]:
        """Yield what was written, in blocks of at most 64 KiB, and forget it."""
        yield from self._blocks
        if self._file is not None:
            self._file.seek(0)
            while block := self._file.read(BLOCK):
                yield block
        if self.size:
            self.close()

    def close(self) -> None:
        """Forget what was written."""
        if self._file is not None:
            self._file.close()
        self.size, self._blocks, self._file = 0, [], None
