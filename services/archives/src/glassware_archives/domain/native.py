"""libarchive, through libarchive-c's declarations: the only module that touches native memory.

libarchive-c's own writers are not used: they ignore how much was written, leak the native archive
when a generator is abandoned, and let ctypes swallow what goes wrong in a callback.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import locale
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from types import ModuleType
from typing import Any, cast

from glassware_archives.domain.spool import BLOCK, Spool

SYSTEM_LIBRARY = "libarchive.so.13"


def locate_library(system: str = SYSTEM_LIBRARY) -> str:
    """Return what to load: Debian's libarchive13, else the one inside the wheel ``archi``."""
    with suppress(OSError):
        ctypes.CDLL(system)
        return system
    with suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("archi") or ():
            if file.name.startswith("libarchive"):
                return str(file.locate())
    raise ImportError("libarchive is missing: apt install libarchive13, or pip install archi")


def _load() -> ModuleType:
    # libarchive-c reads this variable when it is imported, and offers no other way to choose.
    if "LIBARCHIVE" not in os.environ:
        os.environ["LIBARCHIVE"] = locate_library()
    from libarchive import ffi

    return cast(ModuleType, ffi)


ffi = _load()

_REGULAR_FILE, _PERMISSIONS = 0o100000, 0o644

# A second handle on the function: libarchive-c's own asks a freed archive for its error message.
_write_free = ffi.libarchive["archive_write_free"]
_write_free.argtypes, _write_free.restype = [ctypes.c_void_p], ctypes.c_int


def library() -> str:
    """Return the name and version of the library; other versions may make other bytes."""
    major, minor = divmod(ffi.version_number(), 1_000_000)
    return f"libarchive {major}.{minor // 1000}.{minor % 1000}"


def ensure_environment() -> None:
    """Make names UTF-8 and times UTC for the whole process; call it before any thread starts.

    Without a UTF-8 locale libarchive garbles names or crashes the process (libarchive#2233), and
    the time zone would change the bytes of a zip, whose DOS times are local.
    """
    if not _names_are_utf8():
        try:
            locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
        except locale.Error as error:
            raise RuntimeError("archives need a UTF-8 locale: C.UTF-8 is missing") from error
    if not _times_are_utc():
        os.environ["TZ"] = "UTC"
        time.tzset()


def _names_are_utf8() -> bool:
    return locale.nl_langinfo(locale.CODESET) == "UTF-8"


def _times_are_utc() -> bool:
    return time.tzname == ("UTC", "UTC") and time.timezone == 0


class Archive:
    """One open native archive; what it makes goes to ``sink``. Not to be shared by threads.

    Use ``open_archive``, which frees it.
    """

    def __init__(self, writer: str, sink: Spool) -> None:
        self._writer = writer
        self._sink = sink
        self._failure: BaseException | None = None
        self._finished = False
        self._callback = ffi.WRITE_CALLBACK(self._collect)
        self._entry = ffi.entry_new()
        self._pointer = ffi.write_new()

    def open(self, compressor: str | None, options: str) -> None:
        """Set the archive up and write what comes before the first entry."""
        ffi.get_write_format_function(self._writer)(self._pointer)
        if compressor is not None:
            ffi.get_write_filter_function(compressor)(self._pointer)
        self._call(ffi.write_set_options, options.encode())
        # A 7z is written in blocks anyway, and its output buffer would be lost (see _leave).
        self._call(ffi.write_set_bytes_per_block, 0 if self._writer == "7zip" else BLOCK)
        self._call(ffi.write_set_bytes_in_last_block, 1)
        self._call(ffi.write_open, None, ffi.NO_OPEN_CB, self._callback, ffi.NO_CLOSE_CB)

    def begin(self, name: str, size: int | None, modified: datetime) -> None:
        """Begin an entry; its content follows in ``write``."""
        ffi.entry_clear(self._entry)
        if ffi.entry_update_pathname_utf8(self._entry, name.encode()) != 1:
            raise RuntimeError(f"libarchive does not take the name {name!r}")
        ffi.entry_set_filetype(self._entry, _REGULAR_FILE)
        ffi.entry_set_perm(self._entry, _PERMISSIONS)
        ffi.entry_set_mtime(self._entry, int(modified.timestamp()), 0)
        if size is not None:
            ffi.entry_set_size(self._entry, size)
        self._call(ffi.write_header, self._entry)

    def write(self, block: bytes) -> None:
        """Write a block of the entry's content."""
        self._call(ffi.write_data, block, len(block), expected=len(block))

    def end(self) -> None:
        """End the entry."""
        self._call(ffi.write_finish_entry)

    def finish(self) -> None:
        """Write what comes after the last entry."""
        self._finished = True
        self._call(ffi.write_close)

    def release(self) -> None:
        """Free what is native, finished or not; what it still writes is nobody's."""
        if not self._finished:
            with suppress(ffi.ArchiveError):
                self._leave()
        _write_free(self._pointer)
        ffi.entry_free(self._entry)
        del self._callback, self._failure  # each is part of a cycle

    def _leave(self) -> None:
        """Keep an entry in the middle of a tar or 7z from being filled up to its declared size.

        An archive that is freed is closed first, which does that; a failed one is not. But what is
        not closed loses memory: deflate 0.3 MiB, xz 7 MiB, libarchive 3.6 its output buffer. So a
        compressor always is in an archive of its own, and the buffer is asked back by closing.
        """
        if self._writer in ("pax_restricted", "7zip"):
            ffi.write_fail(self._pointer)
        if self._writer == "pax_restricted":
            ffi.write_close(self._pointer)

    def _collect(self, _archive: int, _data: int, buffer: Any, length: int) -> int:
        # Must not raise: ctypes would print the error and return garbage.
        try:
            self._sink.write(ctypes.string_at(buffer, length))
        except BaseException as error:
            self._failure = error
            return -1
        return length

    def _call(self, function: Callable[..., int], *arguments: object, expected: int = 0) -> None:
        try:
            result = function(self._pointer, *arguments)
        except ffi.ArchiveError as error:
            raise (self._failure or error) from error
        if result != expected:  # a warning, or fewer bytes written than given
            raise RuntimeError(f"libarchive: {function.__name__} returned {result}")


@contextmanager
def open_archive(
    writer: str, compressor: str | None, options: str, sink: Spool
) -> Iterator[Archive]:
    """Open an archive that writes to ``sink``; free it however the block is left."""
    if not (_names_are_utf8() and _times_are_utc()):
        raise RuntimeError("call ensure_environment() when the process starts")
    archive = Archive(writer, sink)
    try:
        archive.open(compressor, options)
        yield archive
    finally:
        archive.release()
