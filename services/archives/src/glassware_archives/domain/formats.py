"""The formats, as data: what libarchive is asked for, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """One kind of archive.

    ``writer``, ``compressor`` and ``options`` are libarchive's names. ``needs_size``: the header
    of an entry states its size, so content of unknown size is spooled first. ``at_end``: nothing
    can be sent before the archive is complete, so the whole of it is spooled.
    """

    name: str
    media_type: str
    writer: str
    compressor: str | None = None
    options: str = ""
    needs_size: bool = True
    at_end: bool = False


# Levels are chosen for a server that compresses while the client waits: xz at its default of 6
# makes 2 MiB/s and takes 94 MiB of memory, at 1 it makes 13 and takes 9.
_ALL = (
    Format("zip", "application/zip", "zip", None, "zip:compression-level=6", needs_size=False),
    Format("tar", "application/x-tar", "pax_restricted"),
    Format(
        "tar.gz",
        "application/gzip",
        "pax_restricted",
        "gzip",
        "gzip:compression-level=6,gzip:!timestamp",
    ),
    Format("tar.xz", "application/x-xz", "pax_restricted", "xz", "xz:compression-level=1"),
    Format("tar.zst", "application/zstd", "pax_restricted", "zstd", "zstd:compression-level=3"),
    Format(
        "7z",
        "application/x-7z-compressed",
        "7zip",
        None,
        "7zip:compression=lzma2,7zip:compression-level=1",
        at_end=True,
    ),
)

FORMATS = {format.name: format for format in _ALL}
