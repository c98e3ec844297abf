"""Entries, the limits they are held to, and reading them so that no byte is lost silently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from glassware.problems import InvalidProblem, TooLargeProblem
from glassware_archives.domain.spool import BLOCK

# The first moment that a zip can state: an entry without a date must not take the clock's.
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """One file of an archive.

    ``content`` is read once, in order, and closed if it can be; its chunks are bytes-like, of any
    length. ``size`` in bytes is a promise that is checked; None when it is not known. ``modified``
    is aware, from 1970 to 2105, and kept to the second.
    """

    name: str
    content: Iterable[bytes | bytearray | memoryview]
    size: int | None = None
    modified: datetime = EARLIEST


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


class Meter:
    """Holds one archive to its limits while it is written; raises TooLargeProblem."""

    def __init__(self, limits: Limits, max_bytes: int, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._max_bytes = self._left = max_bytes
        self._clock = clock
        self._deadline = clock() + limits.max_seconds

    def admit(self, index: int, entry: Entry) -> None:
        """Refuse an entry that cannot be right, before it is begun.

        Raises InvalidProblem for its size or time.
        """
        if index >= self._limits.max_entries:
            raise TooLargeProblem(f"An archive has at most {self._limits.max_entries} entries.")
        if entry.modified.tzinfo is None or not 0 <= entry.modified.timestamp() < 2**32:
            # A zip would silently state another time: its seconds are 32 bits without a sign.
            raise _problem(index, "modified", "Must have a time zone, and be from 1970 to 2105.")
        if entry.size is not None and entry.size < 0:
            raise _problem(index, "size", "Must not be negative.")
        if (entry.size or 0) > self._left:
            self._refuse_bytes()
        self._take(0)

    def read(self, index: int, entry: Entry) -> Iterator[bytes]:
        """Yield the content as it comes, checked; raise as soon as it cannot be right.

        Raises InvalidProblem when content and declared size differ, TypeError when a chunk is not
        bytes-like, and whatever the content itself raises.
        """
        count = 0
        for chunk in entry.content:
            if not isinstance(chunk, bytes | bytearray | memoryview):
                raise TypeError(f"entry {index}: a chunk is {type(chunk).__name__}, not bytes")
            data = bytes(chunk)
            count += len(data)
            self._take(len(data))
            if entry.size is not None and count > entry.size:
                raise _problem(index, "size", f"The source gives more than {entry.size} bytes.")
            yield data
        if entry.size is not None and count < entry.size:
            raise _problem(index, "size", f"The source gave {count} of {entry.size} bytes.")

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            self._refuse_bytes()
        if self._clock() > self._deadline:
            raise TooLargeProblem(f"Building took more than {self._limits.max_seconds:g} seconds.")

    def _refuse_bytes(self) -> None:
        raise TooLargeProblem(f"The entries hold more than {self._max_bytes} bytes together.")


def _problem(index: int, field: str, message: str) -> InvalidProblem:
    return InvalidProblem(
        "An entry cannot be archived as declared.", errors={f"entries.{index}.{field}": [message]}
    )


def blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut the same bytes into blocks of 64 KiB, whatever the network made of them.

    Else the bytes of a compressed archive would depend on how its sources arrived.
    """
    pending = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), BLOCK):
            pending += view[start : start + BLOCK]
            if len(pending) >= BLOCK:
                yield bytes(pending[:BLOCK])
                del pending[:BLOCK]
    if pending:
        yield bytes(pending)
