"""The headers of a zip (APPNOTE.TXT 6.3.10), such that readers of files and of streams take them.

An entry whose size is known has it in its local header. Of another, the sizes follow the content;
they take 4 bytes each, 8 only where that is needed, as JDK's ZipInputStream expects. So zip64 is
there where something does not fit, and nowhere else.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from functools import lru_cache

from glassware_archives.domain.entries import EARLIEST, Entry, Kind

MAX = 0xFFFFFFFF
MAX_ENTRIES = 0xFFFF
ENCRYPTED, STREAMED, UTF8 = 1, 8, 0x800

_MADE_BY = 3 << 8 | 63  # Unix, so that the permissions count
# Both headers begin with the same; the time and the date, in this order, are one number here.
_SAME = struct.Struct("<3H4I2H")
_LOCAL, _CENTRAL = struct.pack("<I", 0x04034B50), struct.pack("<IH", 0x02014B50, _MADE_BY)
_END = struct.Struct("<3H2I")
_FOLDER = 0x10  # what DOS calls a folder


Parts = tuple[bytes, ...]
#: What both headers of an entry say about it: name, flags, time, extra fields, attributes.
Head = tuple[bytes, int, int, bytes, int]
#: What is known of an entry's content once it was written: method, CRC-32, packed size, size.
Sizes = tuple[int, int, int, int]


def head(entry: Entry, flags: int = 0) -> Head:
    """Return what the headers of the entry have in common."""
    text, _, _, modified, kind, mode, _ = entry
    name = text.encode()
    if len(name) != len(text):
        flags |= UTF8
    if kind == "directory":
        name += b"/"
    return name, flags, *_often(modified, kind, mode)


@lru_cache(1024)
def _often(modified: datetime, kind: Kind, mode: int | None) -> tuple[int, bytes, int]:
    """Return what many entries have in common: the time in both ways, and the attributes."""
    attributes = Entry("", kind=kind, mode=mode).st_mode << 16
    return *moment(modified), attributes | (_FOLDER if kind == "directory" else 0)


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
    numbers = (flags, method, stamp, crc, packed, size, len(name), len(extra))
    return _LOCAL + _SAME.pack(version, *numbers) + name + extra


def both(head: Head, sizes: Sizes, offset: int, more: bytes = b"") -> tuple[Parts, Parts]:
    """Return both headers of an entry that is added whole, in parts.

    Where nothing takes 8 bytes, they are the same but for their beginning and their end.
    """
    name, flags, stamp, extra, attributes = head
    method, crc, packed, size = sizes
    if offset >= MAX or size >= MAX:
        return (local(head, sizes, more),), (central(head, sizes, offset, more),)
    extra += more
    version = _version(method, False)
    same = _SAME.pack(version, flags, method, stamp, crc, packed, size, len(name), len(extra))
    end = _END.pack(0, 0, 0, attributes, offset)
    return (_LOCAL, same, name, extra), (_CENTRAL, same, end, name, extra)


def descriptor(sizes: Sizes, expected: int) -> bytes:
    """Return what follows the content of an entry whose local header has no sizes."""
    _, *numbers = sizes
    form = "<II2Q" if max(*numbers, expected) > MAX else "<II2I"
    return struct.pack(form, 0x08074B50, *numbers)


def central(head: Head, sizes: Sizes, offset: int, more: bytes = b"") -> bytes:
    """Return the entry's record in the directory."""
    name, flags, stamp, extra, attributes = head
    method, crc, packed, size = sizes
    extra += more
    large = size >= MAX or packed >= MAX or offset >= MAX
    if large:
        wide = [number for number in (size, packed, offset) if number >= MAX]
        extra += struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide)
        packed, size, offset = min(packed, MAX), min(size, MAX), min(offset, MAX)
    numbers = (flags, method, stamp, crc, packed, size, len(name), len(extra))
    begin = _CENTRAL + _SAME.pack(_version(method, large), *numbers)
    return begin + _END.pack(0, 0, 0, attributes, offset) + name + extra


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
