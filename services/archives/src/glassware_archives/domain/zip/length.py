"""How long a zip will be whose content is stored, without its content."""

from __future__ import annotations

from collections.abc import Sequence

from glassware_archives.domain.deflate import DEFLATE, LEVELS, STORE, longest
from glassware_archives.domain.entries import Entry
from glassware_archives.domain.zip import headers

_PIECE = LEVELS["store"].block


def zip_length(entries: Sequence[Entry]) -> int | None:
    """Return the length in bytes; None where the size of an entry is not known.

    It is put together by the functions that write, of checksums that are zero.
    """
    offset = directory = 0
    for entry in entries:
        if (size := len(entry.target.encode()) if entry.kind != "file" else entry.size) is None:
            return None
        before, content, after, record = _stored(entry, size, offset)
        directory += record
        offset += before + content + after
    return offset + directory + len(headers.ending(len(entries), directory, offset))


def _stored(entry: Entry, size: int, offset: int) -> tuple[int, int, int, int]:
    """Return how much comes before, of and after the content, and in the directory."""
    after, packed = 0, size
    if size < _PIECE:
        head, sizes = headers.head(entry), (STORE, 0, size, size)
    else:
        packed = longest(size)
        head, sizes = headers.head(entry, headers.STREAMED), (DEFLATE, 0, packed, size)
        after = len(headers.descriptor(sizes, packed))
    record = headers.central(head, sizes, offset)
    return len(headers.local(head, sizes)), packed, after, len(record)
