"""The zip back end: entries in, the bytes of a zip out, compressed by all cores meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain
from typing import Any

from glassware_archives.domain.deflate import (
    DEFLATE,
    LEVELS,
    Deflating,
    Level,
    crc32,
    deflated,
    longest,
)
from glassware_archives.domain.entries import Entry
from glassware_archives.domain.outlet import Outlet
from glassware_archives.domain.spool import BLOCK, Spool
from glassware_archives.domain.workers import Workers
from glassware_archives.domain.zip import headers, seal
from glassware_archives.domain.zip.headers import Head, Sizes

# A thread is not worth its hand-over below.
_SMALL = 16 * 1024
#: What an entry that waits takes besides its content.
_EACH = 256


#: A whole entry's sizes, extra field, flags and bytes.
Whole = tuple[Sizes, bytes, int, bytes]


class Zip:
    """One zip being written. An entry that fits in a block is added whole; others are streamed."""

    def __init__(self, compression: str, workers: Workers, passphrase: str | None = None) -> None:
        self._level = LEVELS[compression]
        #: The length of the blocks that ``write`` takes.
        self.block = self._level.block
        self._passphrase = passphrase
        self._line = workers.line()
        self._out = Outlet()
        self._records = bytearray()
        self._directory = Spool()
        self._entries = 0
        self._heads: list[Head] = []
        self._contents: list[bytes] = []
        self._gathered = 0
        self._open: _Streamed | None = None

    def add(self, entry: Entry, content: bytes) -> None:
        """Write a whole entry, with its sizes before its content."""
        passphrase = self._passphrase if entry.kind == "file" else None
        alone = passphrase is not None or (self._level.library and len(content) > _SMALL)
        if alone:
            self._flush()
        self._heads.append(headers.head(entry))
        self._contents.append(content)
        self._gathered += len(content) + _EACH
        if alone or self._gathered >= BLOCK:
            self._flush(passphrase)

    def _flush(self, passphrase: str | None = None) -> None:
        """Have the entries compressed that were gathered."""
        heads, contents = self._heads, self._contents
        self._heads, self._contents, self._gathered = [], [], 0
        if contents:
            then = partial(self._wholes, heads)
            self._line.work(then, all_packed, self._level, passphrase, contents)

    def begin(self, entry: Entry, size: int | None) -> None:
        """Begin an entry whose content follows in ``write``; its size is what is known of it."""
        self._flush()
        told = size or 0
        # What is compressed is most likely no longer; Java's reader counts, and believes no header.
        expected = told if self._level.library else longest(told)
        self._open = _Streamed(headers.head(entry), told, expected, self._passphrase)
        self._line.put(self._streamed, self._open)
        self._deflating = Deflating(self._level, self._line, partial(self._piece, self._open))

    def write(self, block: bytes) -> None:
        """Write a block of the entry's content."""
        assert self._open
        self._open.take(block)
        self._deflating.write(block)

    def end(self) -> None:
        """End the entry."""
        self._deflating.end()
        self._line.put(self._ended, self._open)
        self._open = None

    def cut(self) -> int:
        """End the file whose source failed, if one has begun; return how much of it there is."""
        if self._open is None:
            return 0
        size = self._open.sizes.size
        self.end()
        return size

    def finish(self) -> None:
        """Write what comes after the last entry."""
        self._flush()
        self._line.finish()
        length = self._directory.size + len(self._records)
        self._records += headers.ending(self._entries, length, self._out.total)
        self._put_aside()

    def drain(self) -> Iterable[bytes]:
        """Return what was made since, once it is worth it."""
        return self._out.drain()

    def rest(self) -> Iterable[bytes]:
        """Return all that was made since."""
        return chain(self._out.rest(), self._directory.drain())

    def close(self) -> None:
        """Drop what is unfinished."""
        self._line.close()
        self._directory.close()

    def _wholes(self, heads: list[Head], results: list[Whole]) -> None:
        begin = end = self._out.total
        pieces: list[bytes] = []
        for head, (sizes, extra, flags, content) in zip(heads, results, strict=True):
            if flags:
                head = head._replace(flags=head.flags | flags)
            header, record = headers.both(head, sizes, end, extra)
            pieces += (header, content)
            end += len(header) + len(content)
            self._note(record)
        self._out.extend(pieces, end - begin)

    def _streamed(self, entry: _Streamed) -> None:
        entry.offset = self._out.total
        self._out.put(entry.start())

    def _piece(self, entry: _Streamed, packed: bytes) -> None:
        self._out.put(entry.sealed(packed))

    def _ended(self, entry: _Streamed) -> None:
        self._out.put(entry.end())
        self._note(headers.central(entry.head, entry.sizes, entry.offset, entry.extra))

    def _note(self, record: bytes) -> None:
        self._records += record
        self._entries += 1
        if len(self._records) >= BLOCK:
            self._put_aside()

    def _put_aside(self) -> None:
        """Move records of the directory to where they may leave memory."""
        for start in range(0, len(self._records), BLOCK):
            self._directory.write(bytes(self._records[start : start + BLOCK]))
        self._records.clear()


def all_packed(level: Level, passphrase: str | None, contents: list[bytes]) -> list[Whole]:
    """Return each whole entry's sizes, extra field, flags and bytes."""
    made = [(content, *deflated(level, content)) for content in contents]
    if passphrase is not None:
        return [_sealed(passphrase, *each) for each in made]
    return [
        (Sizes(method, crc32(content), len(data), len(content)), b"", 0, data)
        for content, method, data in made
    ]


def _sealed(passphrase: str, content: bytes, method: int, data: bytes) -> Whole:
    lock = seal.Seal(passphrase)
    data = b"".join((lock.start, lock.update(data), lock.end()))
    sizes = Sizes(seal.METHOD, 0, len(data), len(content))
    return sizes, seal.field(method), headers.ENCRYPTED, data


class _Streamed:
    """An entry being written: what its headers will say."""

    def __init__(self, head: Head, told: int, expected: int, passphrase: str | None) -> None:
        self.offset = self._packed = self._size = self._crc = 0
        self._seal = seal.Seal(passphrase) if passphrase is not None else None
        self.extra = seal.field(DEFLATE) if self._seal else b""
        sealed = headers.ENCRYPTED if self._seal else 0
        self.head = head._replace(flags=head.flags | headers.STREAMED | sealed)
        # A reader of streams has to know before whether the sizes that follow take 8 bytes.
        self._told, self._expected = told, expected + (seal.OVERHEAD if self._seal else 0)

    @property
    def sizes(self) -> Sizes:
        """What is known by now."""
        method, crc = (seal.METHOD, 0) if self._seal else (DEFLATE, self._crc)
        return Sizes(method, crc, self._packed, self._size)

    def take(self, block: bytes) -> None:
        self._size += len(block)
        if self._seal is None:
            self._crc = crc32(block, self._crc)

    def start(self) -> bytes:
        expected = self.sizes._replace(packed=self._expected, size=self._told)
        header = headers.local(self.head, expected, self.extra)
        return header + (self._written(self._seal.start) if self._seal else b"")

    def sealed(self, packed: bytes) -> bytes:
        return self._written(self._seal.update(packed) if self._seal else packed)

    def end(self) -> bytes:
        code = self._written(self._seal.end()) if self._seal else b""
        return code + headers.descriptor(self.sizes, self._expected)

    def _written(self, data: Any) -> bytes:
        self._packed += len(data)
        return data
