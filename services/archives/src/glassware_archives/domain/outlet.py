"""Where pieces of any length are gathered, to leave in blocks of at most half a MiB."""

from __future__ import annotations

from collections.abc import Iterable

from glassware_archives.domain.spool import BLOCK

#: A piece that was compressed is copied no more.
_LARGEST = 512 * 1024


class Outlet:
    """Takes pieces; gives blocks. ``total`` is how many bytes were put in, ever."""

    def __init__(self) -> None:
        self.total = 0
        self._pieces: list[bytes] = []
        self._size = 0

    def put(self, piece: bytes) -> None:
        """Take a piece."""
        self.extend((piece,), len(piece))

    def extend(self, pieces: Iterable[bytes], size: int) -> None:
        """Take pieces that have so many bytes together."""
        self._pieces += pieces
        self._size += size
        self.total += size

    def drain(self) -> Iterable[bytes]:
        """Return all that was put in, if it is worth sending."""
        return self.rest() if self._size >= BLOCK else ()

    def rest(self) -> Iterable[bytes]:
        """Return all that was put in."""
        data = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        if len(data) <= _LARGEST:
            return (data,) if data else ()
        return [data[start : start + _LARGEST] for start in range(0, len(data), _LARGEST)]
