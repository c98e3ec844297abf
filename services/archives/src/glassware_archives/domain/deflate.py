"""Deflate (RFC 1951) in blocks that are compressed independently, and so on all cores at once.

Each block knows the 32 KiB before it as its dictionary and ends on a byte, so the blocks are one
stream when put together. Bytes depend on the length of a block, not on how many threads there are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from isal import isal_zlib
from zlib_ng import zlib_ng

from glassware_archives.domain.entries import Block
from glassware_archives.domain.workers import Line, Then

#: The bytes that make a stored block of 64 KiB, whose header takes 5.
PIECE = 64 * 1024 - 5
#: Long, as each begins anew; no longer, so that one that is stored leaves at once (``Outlet``), and
#: that a slow source is heard of now and then.
BLOCK = 7 * PIECE
#: The end of a stream whose blocks all say that another follows.
END = b"\x03\x00"
STORE, DEFLATE = 0, 8

_WINDOW, _SAMPLE, _SAMPLES = 32 * 1024, 1024, 8
_RAW = -15
_BYTES = [bytes((value,)) for value in reversed(range(256))]


class Level(NamedTuple):
    """A way to compress: the library, its level, and the length of the blocks it is given."""

    name: str
    library: Any
    level: int
    memory: int
    block: int = BLOCK


#: ISA-L takes a twelfth of the time of zlib's level 6 for 4 % more bytes of mixed content, up to a
#: quarter more of sources; zlib-ng half for equal, in short blocks, of which those that do not
#: shrink are left out. With little memory ISA-L looks at its statistics more often, which mixed
#: content is better for.
LEVELS = {
    "fast": Level("fast", isal_zlib, 1, 2),
    "small": Level("small", zlib_ng, 5, 8, PIECE),
    "store": Level("store", None, 0, 0, PIECE),
}

crc32: Callable[..., int] = isal_zlib.crc32


def deflated(level: Level, content: bytes) -> tuple[int, bytes]:
    """Return the method and the bytes of a whole entry; stored where that is no longer."""
    if level.library is not None and len(content) > 2:
        packed = _packed(level, content, _BYTES[0], zlib_ng.Z_FINISH)
        # Only of what is kept is it looked whether that byte was the right one: it mostly is.
        if len(packed) < len(content) and (before := _nothing(content)) != _BYTES[0]:
            packed = _packed(level, content, before, zlib_ng.Z_FINISH)
        if len(packed) < len(content):
            return DEFLATE, packed
    return STORE, content


def piece(level: Level, block: bytes, before: bytes) -> bytes:
    """Return a block in the middle of a stream: compressed, or stored where that is shorter."""
    if level.library is None or not _shrinks(level, block):
        return stored(block)
    packed = _packed(level, block, before or _nothing(block), zlib_ng.Z_SYNC_FLUSH)
    return packed if len(packed) < len(block) else stored(block)


def _summed(level: Level, block: Block, before: bytes) -> tuple[bytes, int, int]:
    """Return a piece, and the checksum and the length of its content."""
    whole = b"".join(block)
    return piece(level, whole, before), crc32(whole), len(whole)


def _tail(block: Block) -> bytes:
    """Return what the next block has for a dictionary."""
    end = b""
    for part in reversed(block):
        if len(end) < _WINDOW:
            end = bytes(part[-_WINDOW:]) + end
    return end[-_WINDOW:]


def _packed(level: Level, block: bytes, before: bytes, flush: int) -> bytes:
    _, library, effort, memory, _ = level
    made = library.compressobj(effort, DEFLATE, _RAW, memory, 0, before)
    packed: bytes = made.compress(block) + made.flush(flush)
    return packed


def _nothing(block: bytes) -> bytes:
    """Return a dictionary for what nothing comes before: one byte, with which no match begins.

    Without any, ISA-L makes other bytes in one of several processes: for the first three bytes it
    then looks where it has not written. Only of a block with each of the 256 bytes before its own
    first two is that left to chance.
    """
    for byte in _BYTES:
        # From the end, as that is the quicker way where each byte is found often.
        if byte not in block or block.rfind(byte + block[:2]) < 0:
            return byte
    return b""


def _shrinks(level: Level, block: bytes) -> bool:
    """Try a sample where compressing is slow; the fast way takes no longer than a look."""
    if level.library is isal_zlib:
        return True
    step = max(1, len(block) // _SAMPLES)
    sample = b"".join(block[at : at + _SAMPLE] for at in range(step // 2, len(block), step))
    return len(isal_zlib.compress(sample, 1, _RAW)) < 0.97 * len(sample)


def stored(block: bytes) -> bytes:
    """Return the bytes as blocks that are not compressed (RFC 1951 section 3.2.4).

    A streaming reader knows where they end, which it does not of an entry that is merely stored.
    """
    parts: list[bytes] = []
    for start in range(0, len(block), PIECE):
        part = block[start : start + PIECE]
        parts += (struct.pack("<xHH", len(part), len(part) ^ 0xFFFF), part)
    return b"".join(parts)


def longest(size: int) -> int:
    """Return how long a stream of so many bytes is at most, and always where it is stored."""
    return size + 5 * -(-size // PIECE) + len(END)


class Deflating:
    """One stream of deflate; what it makes is handed to ``then``, in order.

    ``crc`` and ``size`` are of the content of what was handed on.
    """

    def __init__(self, level: Level, line: Line, then: Then) -> None:
        self._level, self._line, self._then = level, line, then
        self._before = b""
        self.crc = self.size = 0

    def write(self, block: Block) -> None:
        """Take a block of ``level.block`` bytes; only the last may be shorter."""
        if self._level.library is None:
            self._line.put(self._made, _summed(self._level, block, b""))
            return
        self._line.work(self._made, _summed, self._level, block, self._before)
        self._before = _tail(block)

    def end(self) -> None:
        """End the stream."""
        self._line.put(self._then, END)

    def _made(self, made: tuple[bytes, int, int]) -> None:
        data, crc, size = made
        self.crc = isal_zlib.crc32_combine(self.crc, crc, size)
        self.size += size
        self._then(data)
