"""The headers of a zip (APPNOTE.TXT 6.3.10), such that readers of files and of streams take them.

An entry whose size is known has it in its local header. Of another, the sizes follow the content;
they take 4 bytes each, 8 only where that is needed, as JDK's ZipInputStream expects. So zip64 is
there where something does not fit, and nowhere else.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from glassware_archives.domain.entries import EARLIEST, Entry

MAX = 0xFFFFFFFF
MAX_ENTRIES = 0xFFFF
ENCRYPTED, STREAMED, UTF8 = 1, 8, 0x800

_LOCAL = struct.Struct("<I5H3I2H")
_CENTRAL = struct.Struct("<I6H3I5H2I")
_MADE_BY = 3 << 8 | 63  # Unix, so that the permissions count
_FOLDER = 0x10  # what DOS calls a folder


class Head(NamedTuple):
    """What both headers of an entry say about it."""

    name: bytes
    flags: int
    stamp: int
    extra: bytes
    attributes: int


class Sizes(NamedTuple):
    """What is known of an entry's content once it was written."""

    method: int
    crc: int
    packed: int
    size: int


def head(entry: Entry) -> Head:
    """Return what the headers of the entry have in common."""
    name = entry.name.encode()
    stamp, extra = moment(entry.modified)
    flags = 0 if len(name) == len(entry.name) else UTF8
    attributes = entry.st_mode << 16
    if entry.kind == "directory":
        name, attributes = name + b"/", attributes | _FOLDER
    return Head(name, flags, stamp, extra, attributes)


@lru_cache(1024)
def moment(modified: datetime) -> tuple[int, bytes]:
    """Return a time as DOS has it, and as the extra field 0x5455 does: in seconds since 1970."""
    seconds = int(modified.timestamp())
    extra = struct.pack("<HHBI", 0x5455, 5, 1, seconds) if seconds < 2**31 else b""
    at = max(modified.astimezone(UTC), EARLIEST)
    date = (at.year - 1980) << 9 | at.month << 5 | at.day
    return date << 16 | at.hour << 11 | at.minute << 5 | at.second // 2, extra


def local(head: Head, sizes: Sizes, more: bytes = b"") -> bytes:
    """Return what comes before the content; without sizes where they follow it.

    Then ``sizes`` are what is expected. The size is told all the same where they take 8 bytes:
    unzip looks there for one of exactly 4 GiB - 1.
    """
    name, flags, stamp, extra, _ = head
    method, crc, packed, size = sizes
    large = size > MAX or packed > MAX
    version = _version(method, large)
    extra += more
    if flags & STREAMED:
        if large:
            extra += struct.pack("<HHQQ", 1, 16, size, 0)
        crc = packed = size = 0
    numbers = (flags, method, stamp & 0xFFFF, stamp >> 16, crc, packed, size)
    return _LOCAL.pack(0x04034B50, version, *numbers, len(name), len(extra)) + name + extra


def descriptor(sizes: Sizes, expected: int) -> bytes:
    """Return what follows the content of an entry whose local header has no sizes."""
    form = "<II2Q" if max(sizes.size, sizes.packed, expected) > MAX else "<II2I"
    return struct.pack(form, 0x08074B50, sizes.crc, sizes.packed, sizes.size)


def central(head: Head, sizes: Sizes, offset: int, more: bytes = b"") -> bytes:
    """Return the entry's record in the directory."""
    name, flags, stamp, extra, attributes = head
    method, crc, packed, size = sizes
    extra += more
    large = size >= MAX or packed >= MAX or offset >= MAX
    if large:
        numbers = [number for number in (size, packed, offset) if number >= MAX]
        extra += struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers)
        packed, size, offset = min(packed, MAX), min(size, MAX), min(offset, MAX)
    record = _CENTRAL.pack(
        0x02014B50,
        _MADE_BY,
        _version(method, large),
        flags,
        method,
        stamp & 0xFFFF,
        stamp >> 16,
        crc,
        packed,
        size,
        len(name),
        len(extra),
        0,
        0,
        0,
        attributes,
        offset,
    )
    return record + name + extra


def ending(entries: int, length: int, offset: int) -> bytes:
    """Return what follows the directory: where it begins, how long it is, how many it names."""
    end = b""
    if entries >= MAX_ENTRIES or length >= MAX or offset >= MAX:
        numbers = (_MADE_BY, 45, 0, 0, entries, entries, length, offset)
        end = struct.pack("<IQ2H2I4Q", 0x06064B50, 44, *numbers)
        end += struct.pack("<IIQI", 0x07064B50, 0, offset + length, 1)
    count = min(entries, MAX_ENTRIES)
    places = (min(length, MAX), min(offset, MAX))
    return end + struct.pack("<I4H2IH", 0x06054B50, 0, 0, count, count, *places, 0)


def _version(method: int, large: bool) -> int:
    return 51 if method == 99 else 45 if large else 20
