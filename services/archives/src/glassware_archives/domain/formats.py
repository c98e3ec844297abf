"""The formats, as data: what libarchive is asked for, what that costs, and what it can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from glassware_archives.domain.entries import Kind

_ALL_KINDS: tuple[Kind, ...] = ("file", "directory", "symlink")


@dataclass(frozen=True)
class Format:
    """One kind of archive.

    ``writer``, ``compressor`` and the options of each level are libarchive's names; the first
    level is the default. ``needs_size``: the header of an entry states its size, so content of
    unknown size is spooled first. ``at_end``: nothing can be sent before the archive is complete,
    so the whole of it is spooled. ``clocked``: the time of building is in it, so its bytes differ
    each time. ``numbered``: what has the number of an inode, or none, twice is one file to its
    readers. ``flat``: there are no folders. ``rooted``: each folder above an entry has to be one,
    from the root on. ``max_part``: UTF-16 units in a part of a name.
    ``misread``: where in a part of a name, as UTF-8, a "_" has to be, since some reader takes the
    part for another; ``misreading`` is how.
    """

    name: str
    media_type: str
    writer: str
    levels: Mapping[str, str]
    compressor: str | None = None
    needs_size: bool = True
    at_end: bool = False
    clocked: bool = False
    numbered: bool = False
    flat: bool = False
    rooted: bool = False
    kinds: tuple[Kind, ...] = _ALL_KINDS
    max_size: int = 2**63 - 1
    max_part: int = 255
    misread: re.Pattern[bytes] | None = None
    misreading: str = ""

    def readable(self, part: str) -> str:
        """Return the part of a name as every reader takes it for what it is."""
        if self.misread is None:
            return part
        right = self.misread.sub(b"_", part.encode("utf-8", "surrogatepass"))
        return right.decode("utf-8", "surrogatepass")


def _tar(
    filter: str, media_type: str, compressor: str, fast: int, small: int, more: str = ""
) -> Format:
    levels = {
        name: f"{compressor}:compression-level={level}{more}"
        for name, level in (("fast", fast), ("small", small))
    }
    return Format(f"tar.{filter}", media_type, "pax_restricted", levels, compressor)


# Levels are chosen for a server that compresses while the client waits: xz at its default of 6
# makes 2 MiB/s and takes 94 MiB of memory, at 1 it makes 13 and takes 9.
_ALL = (
    Format(
        "zip",
        "application/zip",
        "zip",
        {
            "fast": "zip:compression-level=1",
            "small": "zip:compression-level=6",
            "store": "zip:compression=store",
        },
        needs_size=False,
    ),
    Format("tar", "application/x-tar", "pax_restricted", {"store": ""}),
    _tar("gz", "application/gzip", "gzip", 1, 6),
    _tar("bz2", "application/x-bzip2", "bzip2", 1, 9),
    _tar("xz", "application/x-xz", "xz", 1, 3),
    _tar("zst", "application/zstd", "zstd", 3, 9),
    _tar("lz4", "application/x-lz4", "lz4", 1, 9, ",lz4:block-size=4"),
    Format(
        "7z",
        "application/x-7z-compressed",
        "7zip",
        {
            "fast": "7zip:compression=lzma2,7zip:compression-level=1",
            "small": "7zip:compression=lzma2,7zip:compression-level=5",
            "store": "7zip:compression=store",
        },
        at_end=True,
    ),
    Format(
        "cpio",
        "application/x-cpio",
        "cpio_newc",
        {"store": ""},
        numbered=True,
        max_size=2**32 - 1,
    ),
    Format(
        "ar",
        "application/x-archive",
        "ar_bsd",
        {"store": ""},
        flat=True,
        kinds=("file",),
        max_size=10**10 - 1,
        misread=re.compile(rb"(?<=\A[^ ]{16})\Z|(?<=\A__\.SYMDEF)\Z"),
        misreading="Take another: GNU's ar cuts names of 16 bytes; __.SYMDEF is its table.",
    ),
    Format(
        "xar",
        "application/x-xar",
        "xar",
        {"fast": "", "store": "xar:compression=none"},
        at_end=True,
        clocked=True,
        numbered=True,
    ),
    Format(
        "iso",
        "application/vnd.efi.iso",
        "iso9660",
        {"store": "iso9660:joliet=long,iso9660:rockridge=strict"},
        at_end=True,
        clocked=True,
        max_part=103,
        misread=re.compile(rb";"),
        misreading="No ; may be in the names of iso.",
    ),
    Format(
        "mtree",
        "text/x-mtree",
        "mtree",
        # Owners and numbers of links are those of the machine that it is compared with.
        {"store": "mtree:sha256,mtree:!nlink,mtree:!uid,mtree:!gid"},
        at_end=True,
        rooted=True,
    ),
)

#: What compresses a stream that is an archive already.
FILTER = Format("raw", "", "raw", {"store": ""}, needs_size=False)

FORMATS = {format.name: format for format in _ALL}
