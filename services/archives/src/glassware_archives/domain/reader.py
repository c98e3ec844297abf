"""Reads a foreign archive, in a process of its own: what goes wrong there goes wrong alone.

    python -m glassware_archives.domain.reader '{"verb": "list", ...}' < archive

A library that takes apart what strangers made is let near nothing: the process has no files but the
archive and its output, may write none, start none, and has little memory and time. Formats and
filters that open files or start programs are not even asked for. See ``inside``, which calls it.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import stat
import sys
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NoReturn

from glassware_archives.domain.native import ensure_environment, ffi
from glassware_archives.domain.spool import BLOCK

#: Not among them: mtree, which opens the files that it names; raw, which takes anything; xar.
FORMATS = ("zip", "tar", "7zip", "cpio", "ar", "iso9660")
#: Not among them: those that start a program (grzip, lrzip, lzop).
FILTERS = ("gzip", "bzip2", "xz", "lzma", "zstd", "lz4", "compress")
MEMORY = 512 * 1024**2
#: Below this much no ratio is asked for: little text may be one letter.
FLOOR = 16 * 1024**2
KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symlink"}
REFUSED, WARNING = 3, -20

_native = ffi.libarchive
_filter_count, _filter_bytes = _native["archive_filter_count"], _native["archive_filter_bytes"]
_encrypted = _native["archive_entry_is_data_encrypted"]
_error = _native["archive_error_string"]
for function, given, back in (
    (_filter_count, [ctypes.c_void_p], ctypes.c_int),
    (_filter_bytes, [ctypes.c_void_p, ctypes.c_int], ctypes.c_int64),
    (_encrypted, [ctypes.c_void_p], ctypes.c_int),
):
    function.argtypes, function.restype = given, back


def refuse(slug: str, detail: str) -> NoReturn:
    """End the process, and say why."""
    sys.stdout.flush()
    sys.stderr.write(json.dumps({"slug": slug, "detail": detail}))
    sys.stderr.flush()
    os._exit(REFUSED)


class Reader:
    """The archive at the descriptor 0, held to the limits."""

    def __init__(self, limits: dict[str, Any]) -> None:
        self.limits, self.size = limits, os.fstat(0).st_size
        self.entries = self.told = self.read = 0
        self.archive = ffi.read_new()
        for name in FORMATS:
            ffi.get_read_format_function(name)(self.archive)
        for name in FILTERS:
            ffi.get_read_filter_function(name)(self.archive)
        ffi.read_open_fd(self.archive, 0, BLOCK)

    def __iter__(self) -> Iterator[Any]:
        entry = ffi.entry_new()
        while ffi.read_next_header2(self.archive, entry) != 1:  # the end
            if _filter_count(self.archive) > 2:
                refuse("invalid", "It is compressed more than once.")
            self.entries += 1
            if self.entries > self.limits["entries"]:
                refuse("too-large", f"It has more than {self.limits['entries']} entries.")
            if ffi.entry_size_is_set(entry):
                self.told += max(0, ffi.entry_size(entry))
            self.check(self.told)
            self.check(_filter_bytes(self.archive, 0))
            yield entry
        self.check(_filter_bytes(self.archive, 0))

    def check(self, size: int) -> None:
        """Refuse what unpacks to too much, by itself or for what it is packed in."""
        if size > self.limits["bytes"]:
            refuse("too-large", f"It unpacks to more than {self.limits['bytes']} bytes.")
        if size > max(FLOOR, self.size * self.limits["ratio"]):
            refuse("too-large", f"It unpacks to more than {self.limits['ratio']:g} times its size.")

    def content(self) -> Iterator[bytes]:
        """Yield the content of the present entry."""
        buffer = ctypes.create_string_buffer(BLOCK)
        while count := ffi.read_data(self.archive, buffer, BLOCK):
            self.read += count
            self.check(self.read)
            yield buffer.raw[:count]


def described(entry: Any) -> dict[str, Any]:
    """Return what the archive says of the entry."""
    name = ffi.entry_pathname_w(entry)
    hard, soft = ffi.entry_hardlink_w(entry), ffi.entry_symlink_w(entry)
    kind = "hardlink" if hard else KINDS.get(ffi.entry_filetype(entry), "special")
    return {
        "name": name if name is not None else "",
        "kind": kind,
        "size": ffi.entry_size(entry) if ffi.entry_size_is_set(entry) else None,
        "modified": ffi.entry_mtime(entry) if ffi.entry_mtime_is_set(entry) else None,
        "link": hard or soft,
        "encrypted": bool(_encrypted(entry)),
    }


def tell(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")


def contents(reader: Reader, digests: bool) -> None:
    """Tell every entry, with the digests of its content where these are wanted."""
    for entry in reader:
        told = described(entry)
        if digests and told["kind"] == "file" and not told["encrypted"]:
            size, crc, digest = 0, 0, sha256()
            for block in reader.content():
                size, crc = size + len(block), zlib.crc32(block, crc)
                digest.update(block)
            told |= {"size": size, "crc32": f"{crc:08x}", "sha256": digest.hexdigest()}
        tell(told)


def extract(reader: Reader, name: str) -> None:
    """Write the content of the first file of the name."""
    for entry in reader:
        told = described(entry)
        if told["name"] != name:
            continue
        if told["kind"] != "file" or told["encrypted"]:
            refuse("invalid", "That entry is encrypted, or no file.")
        for block in reader.content():
            sys.stdout.buffer.write(block)
        return
    refuse("not-found", "The archive has no such entry.")


def confine(seconds: float) -> None:
    """Give up what is not needed from here on."""
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, max(1, int(seconds))),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))


def main(wish: dict[str, Any]) -> None:
    ensure_environment()
    confine(wish["seconds"])
    try:
        reader = Reader(wish)
        if wish["verb"] == "extract":
            extract(reader, wish["name"])
        else:
            contents(reader, digests=wish["verb"] == "digest")
        sys.stdout.flush()
    except (ffi.ArchiveError, UnicodeError, MemoryError):
        refuse("invalid", "It is broken, or no archive of a known format.")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
