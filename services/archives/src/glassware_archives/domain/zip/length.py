"""How long a zip will be whose content is stored, without its content."""

from __future__ import annotations

from collections.abc import Sequence

from glassware_archives.domain.deflate import DEFLATE, LEVELS, STORE, longest
from glassware_archives.domain.entries import Entry
from glassware_archives.domain.zip import headers
from glassware_archives.domain.zip.headers import Sizes

_PIECE = LEVELS["store"].block


def zip_length(entries: Sequence[Entry]) -> int | None:
    """Return the length in bytes; None where the size of an entry is not known.

    It is put together by the functions that write, of checksums that are zero.
    """
    offset = directory = 0
    for entry in entries:
        if (size := len(entry.target.encode()) if entry.kind != "file" else entry.size) is None:
            return None
        head = headers.head(entry)
        before, content, after, sizes = _stored(head, size)
        directory += len(headers.central(head, sizes, offset))
        offset += before + content + after
    return offset + directory + len(headers.ending(len(entries), directory, offset))


def _stored(head: headers.Head, size: int) -> tuple[int, int, int, Sizes]:
    """Return how much comes before, of and after the content, and what the directory says."""
    if size < _PIECE:
        sizes = Sizes(STORE, 0, size, size)
        return len(headers.local(head, sizes)), size, 0, sizes
    streamed = head._replace(flags=head.flags | headers.STREAMED)
    packed = longest(size)
    sizes = Sizes(DEFLATE, 0, packed, size)
    before, after = headers.local(streamed, sizes), headers.descriptor(sizes, packed)
    return len(before), packed, len(after), sizes
