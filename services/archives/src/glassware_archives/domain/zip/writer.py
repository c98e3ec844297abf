"""The zip back end: entries in, the bytes of a zip out, compressed by all cores meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain
from typing import Any

from zlib_ng import zlib_ng

from glassware_archives.domain.deflate import (
    DEFLATE,
    LEVELS,
    Deflating,
    Level,
    crc32,
    deflated,
    longest,
)
from glassware_archives.domain.entries import Block, Entry
from glassware_archives.domain.outlet import Outlet
from glassware_archives.domain.spool import BLOCK, Spool
from glassware_archives.domain.workers import Workers
from glassware_archives.domain.zip import headers, seal
from glassware_archives.domain.zip.headers import Head, Sizes

# Below, an entry alone is not worth its hand-over to a thread; several are where it takes long.
_SMALL = 16 * 1024
#: What an entry that waits takes besides its content.
_EACH = 256


#: A whole entry: what its headers say, an extra field, and its bytes.
Whole = tuple[Head, Sizes, bytes, bytes]


class Zip:
    """One zip being written. An entry that fits in a block is added whole; others are streamed."""

    def __init__(self, compression: str, workers: Workers, passphrase: str | None = None) -> None:
        self._level = LEVELS[compression]
        #: The length of the blocks that ``write`` takes.
        self.block = self._level.block
        self._passphrase = passphrase
        self._most = _SMALL if self._level.library else self.block
        self._line = workers.line()
        self._out = Outlet()
        self._records = bytearray()
        self._directory = Spool()
        self._entries = 0
        self._gathered: list[tuple[Entry, bytes]] = []
        self._size = 0
        self._open: _Streamed | None = None

    def add(self, entry: Entry, content: bytes) -> None:
        """Write a whole entry, with its sizes before its content."""
        size = len(content)
        passphrase = self._passphrase if entry.kind == "file" else None
        alone = passphrase is not None or size > self._most
        if alone:
            self._flush()
        self._gathered.append((entry, content))
        self._size += size + _EACH
        if alone or self._size >= BLOCK:
            self._flush(passphrase)

    def _flush(self, passphrase: str | None = None) -> None:
        """Have the entries compressed that were gathered."""
        gathered, self._gathered, self._size = self._gathered, [], 0
        if gathered:
            pack = partial(all_packed, self._level, passphrase, gathered)
            if len(gathered) == 1 or self._level.library is zlib_ng:
                self._line.work(self._wholes, pack)
            else:
                self._line.put(self._wholes, pack())

    def begin(self, entry: Entry, size: int | None) -> None:
        """Begin an entry whose content follows in ``write``; its size is what is known of it."""
        self._flush()
        told = size or 0
        # What is compressed is most likely no longer; Java's reader counts, and believes no header.
        expected = told if self._level.library else longest(told)
        self._open = _Streamed(entry, told, expected, self._passphrase)
        self._open.content = Deflating(self._level, self._line, partial(self._piece, self._open))
        self._line.put(self._streamed, self._open)

    def write(self, block: Block) -> None:
        """Write a block of the entry's content."""
        assert self._open
        self._open.content.write(block)

    def end(self) -> None:
        """End the entry."""
        assert self._open
        self._open.content.end()
        self._line.put(self._ended, self._open)
        self._open = None

    def cut(self) -> int:
        """End the file whose source failed, if one has begun; return how much of it there is."""
        entry = self._open
        if entry is None:
            return 0
        self.end()
        self._line.finish()
        return entry.content.size

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

    def _wholes(self, wholes: list[Whole]) -> None:
        begin = end = self._out.total
        pieces: list[bytes] = []
        records: list[bytes] = []
        for head, sizes, extra, data in wholes:
            header, record = headers.both(head, sizes, end, extra)
            pieces += header
            pieces.append(data)
            records += record
            end += sum(map(len, header)) + len(data)
        self._out.extend(pieces, end - begin)
        self._note(b"".join(records), len(wholes))

    def _streamed(self, entry: _Streamed) -> None:
        entry.offset = self._out.total
        self._out.put(entry.start())

    def _piece(self, entry: _Streamed, packed: bytes) -> None:
        self._out.put(entry.sealed(packed))

    def _ended(self, entry: _Streamed) -> None:
        self._out.put(entry.end())
        self._note(headers.central(entry.head, entry.sizes, entry.offset, entry.extra))

    def _note(self, records: bytes, entries: int = 1) -> None:
        self._records += records
        self._entries += entries
        if len(self._records) >= BLOCK:
            self._put_aside()

    def _put_aside(self) -> None:
        """Move records of the directory to where they may leave memory."""
        for start in range(0, len(self._records), BLOCK):
            self._directory.write(bytes(self._records[start : start + BLOCK]))
        self._records.clear()


def all_packed(
    level: Level, passphrase: str | None, gathered: list[tuple[Entry, bytes]]
) -> list[Whole]:
    """Return whole entries, compressed and, where there is a passphrase, encrypted."""
    if passphrase is not None:
        return [_sealed(level, passphrase, *each) for each in gathered]
    made = [deflated(level, content) for _, content in gathered]
    return [
        (headers.head(entry), (method, crc32(content), len(data), len(content)), b"", data)
        for (entry, content), (method, data) in zip(gathered, made, strict=True)
    ]


def _sealed(level: Level, passphrase: str, entry: Entry, content: bytes) -> Whole:
    method, data = deflated(level, content)
    lock = seal.Seal(passphrase)
    data = b"".join((lock.start, lock.update(data), lock.end()))
    sizes = seal.METHOD, 0, len(data), len(content)
    return headers.head(entry, headers.ENCRYPTED), sizes, seal.field(method), data


class _Streamed:
    """An entry being written: what its headers will say."""

    content: Deflating

    def __init__(self, entry: Entry, told: int, expected: int, passphrase: str | None) -> None:
        self.offset = self._packed = 0
        self._seal = seal.Seal(passphrase) if passphrase is not None else None
        self.extra = seal.field(DEFLATE) if self._seal else b""
        sealed = headers.ENCRYPTED if self._seal else 0
        self.head = headers.head(entry, headers.STREAMED | sealed)
        # A reader of streams has to know before whether the sizes that follow take 8 bytes.
        self._told, self._expected = told, expected + (seal.OVERHEAD if self._seal else 0)

    @property
    def sizes(self) -> Sizes:
        """What is known by now."""
        method, crc = (seal.METHOD, 0) if self._seal else (DEFLATE, self.content.crc)
        return method, crc, self._packed, self.content.size

    def start(self) -> bytes:
        method = seal.METHOD if self._seal else DEFLATE
        expected = method, 0, self._expected, self._told
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
