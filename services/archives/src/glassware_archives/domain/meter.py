"""Entries held to their limits, and read so that no byte is lost silently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from glassware.problems import InvalidProblem, TooLargeProblem
from glassware_archives.domain.entries import EARLIEST, Block, Entry, Limits
from glassware_archives.domain.formats import Format

# A source that drips single bytes must not be kept as as many objects.
_MANY = 1024


class Meter:
    """Holds one archive to its limits while it is written; raises TooLargeProblem."""

    def __init__(self, limits: Limits, max_bytes: int, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._max_bytes = self._left = max_bytes
        self._clock = clock
        self._deadline = clock() + limits.max_seconds
        #: The bytes of the entry that is being read, and what its source failed by.
        self.count = 0
        self.fault: Exception | None = None
        self._spent = False
        self._dated = EARLIEST

    def admit(self, index: int, entry: Entry, kind: Format) -> None:
        """Refuse an entry that cannot be right, before it is begun.

        Raises InvalidProblem for its size or time.
        """
        size = entry.size or 0
        if index >= self._limits.max_entries:
            raise TooLargeProblem(f"An archive has at most {self._limits.max_entries} entries.")
        if entry.modified is not self._dated:
            if not _datable(entry.modified):
                message = "Must have a time zone, and be from 1970 to 2105."
                raise _problem(index, "modified", message)
            self._dated = entry.modified  # most often that of the next, too
        if entry.kind not in kind.kinds:
            raise _problem(index, "kind", f"There is no {entry.kind} in {kind.name}.")
        if size > kind.max_size:
            raise _problem(index, "size", f"At most {kind.max_size} in {kind.name}.")
        if size < 0:
            raise _problem(index, "size", "Must not be negative.")
        if size > self._left:
            self._refuse_bytes()
        if self._clock() > self._deadline:
            self._refuse_time()

    def read(self, index: int, entry: Entry) -> Iterator[bytes]:
        """Yield the content as it comes, checked; raise as soon as it cannot be right.

        What is the source's fault is kept in ``fault``. Raises InvalidProblem when content and
        declared size differ, TypeError when a chunk is not bytes-like, and whatever the content
        itself raises.
        """
        size, self.count = entry.size, 0
        try:
            for chunk in entry.content:
                data = chunk if type(chunk) is bytes else _bytes(index, chunk)
                self.count += len(data)
                self._left -= len(data)
                if self._left < 0:
                    self._refuse_bytes()
                if self._clock() > self._deadline:
                    self._refuse_time()
                if size is not None and self.count > size:
                    raise _problem(index, "size", f"The source gives more than {size} bytes.")
                yield data
            if size is not None and self.count < size:
                raise _problem(index, "size", f"The source gave {self.count} of {size} bytes.")
        except Exception as error:
            self.fault = None if self._spent else error
            raise

    def _refuse_time(self) -> None:
        self._spent = True
        raise TooLargeProblem(f"Building took more than {self._limits.max_seconds:g} seconds.")

    def _refuse_bytes(self) -> None:
        self._spent = True
        raise TooLargeProblem(f"The entries hold more than {self._max_bytes} bytes together.")


def _datable(modified: datetime) -> bool:
    # A zip would silently state another time: its seconds are 32 bits without a sign.
    return modified.tzinfo is not None and 0 <= modified.timestamp() < 2**32


def _problem(index: int, field: str, message: str) -> InvalidProblem:
    return InvalidProblem(
        "An entry cannot be archived as declared.", errors={f"entries.{index}.{field}": [message]}
    )


def _bytes(index: int, chunk: object) -> bytes:
    if not isinstance(chunk, bytes | bytearray | memoryview):
        raise TypeError(f"entry {index}: a chunk is {type(chunk).__name__}, not bytes")
    return bytes(chunk)


def blocks(chunks: Iterable[bytes], length: int) -> Iterator[Block]:
    """Cut the same bytes into blocks of a length, whatever the network made of them.

    Else the bytes of a compressed archive would depend on how its sources arrived.
    """
    parts: Block = []
    missing = length
    for chunk in chunks:
        if not parts and len(chunk) == length:
            yield [chunk]
            continue
        if len(parts) > _MANY:
            parts = [b"".join(parts)]
        rest: bytes | memoryview = chunk
        while len(rest) >= missing:
            view = memoryview(rest)
            parts.append(view[:missing])
            yield parts
            parts, rest, missing = [], view[missing:], length
        if rest:
            parts.append(rest)
            missing -= len(rest)
    if parts:
        yield parts
