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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any, cast

from glassware.problems import InvalidProblem
from glassware_archives.domain.entries import Block, Entry, Kind
from glassware_archives.domain.formats import Format
from glassware_archives.domain.spool import BLOCK, Spool

SYSTEM_LIBRARY = "libarchive.so.13"
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


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

# What takes less than to let another thread run meanwhile.
_AT_ONCE = ctypes.PyDLL(ffi.libarchive._name)


def _handle(library: ctypes.CDLL, name: str, *types: Any, result: Any = ctypes.c_int) -> Any:
    """Return a handle of our own on a function whose first parameter is an archive or an entry.

    Those of libarchive-c look at each result in Python, and ask a freed archive for its message.
    """
    function = library[f"archive_{name}"]
    function.argtypes, function.restype = [ctypes.c_void_p, *types], result
    return function


_write_free = _handle(ffi.libarchive, "write_free")
_write_data = _handle(ffi.libarchive, "write_data", ctypes.c_char_p, ctypes.c_size_t)
_write_data.restype = ctypes.c_ssize_t
_write_finish_entry = _handle(ffi.libarchive, "write_finish_entry")
_write_header = _handle(_AT_ONCE, "write_header", ctypes.c_void_p)
_clear = _handle(_AT_ONCE, "entry_clear", result=ctypes.c_void_p)
_update_name = _handle(_AT_ONCE, "entry_update_pathname_utf8", ctypes.c_char_p)
_update_symlink = _handle(_AT_ONCE, "entry_update_symlink_utf8", ctypes.c_char_p)
_set_mode = _handle(_AT_ONCE, "entry_set_mode", ctypes.c_int, result=None)
_set_mtime = _handle(_AT_ONCE, "entry_set_mtime", ctypes.c_int64, ctypes.c_long, result=None)
_set_size = _handle(_AT_ONCE, "entry_set_size", ctypes.c_int64, result=None)
_set_ino = _handle(_AT_ONCE, "entry_set_ino64", ctypes.c_int64, result=None)
_set_nlink = _handle(_AT_ONCE, "entry_set_nlink", ctypes.c_uint, result=None)


def library() -> str:
    """Return the name and version of the library; other versions may make other bytes."""
    major, minor = divmod(ffi.version_number(), 1_000_000)
    return f"libarchive {major}.{minor // 1000}.{minor % 1000}"


def ensure_environment() -> None:
    """Make names UTF-8 and times UTC for the whole process, and have freed memory kept for a while.

    Call it before any thread starts.

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
    _keep_memory()


def _keep_memory() -> None:
    """Have glibc keep what is freed, up to 16 MiB, instead of giving it back after each block.

    The system would clear the same pages 250 times for each MiB that is compressed, which takes a
    fifth of the time.
    """
    with suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 4 * 1024**2)
        mallopt(_M_TRIM_THRESHOLD, 16 * 1024**2)


def _names_are_utf8() -> bool:
    return locale.nl_langinfo(locale.CODESET) == "UTF-8"


def _times_are_utc() -> bool:
    return time.tzname == ("UTC", "UTC") and time.timezone == 0


class Archive:
    """One open native archive; what it makes goes to a sink. Not to be shared by threads.

    Use ``open_archive``, which frees it.
    """

    #: The length of the blocks that ``write`` takes; an entry that is shorter is added whole.
    block = BLOCK

    def __init__(self, kind: Format, sink: Spool) -> None:
        self._kind = kind
        self._sink = sink
        self._count = 0
        self._folders: set[str] = set()
        self._facts: tuple[Kind, int | None, datetime] | None = None
        self._begun = False
        self._failure: BaseException | None = None
        self._finished = False
        self._callback = ffi.WRITE_CALLBACK(self._collect)
        self._entry = ffi.entry_new()
        self._pointer = ffi.write_new()

    def open(self, options: str, compressor: str | None) -> None:
        """Set the archive up and write what comes before the first entry."""
        try:
            ffi.get_write_format_function(self._kind.writer)(self._pointer)
        except ffi.ArchiveError as error:
            message = f"{library()} does not write {self._kind.name}."
            raise InvalidProblem(errors={"format": [message]}) from error
        if compressor is not None:
            ffi.get_write_filter_function(compressor)(self._pointer)
        self._call(ffi.write_set_options, options.encode())
        # What comes at the end is in blocks anyway, and an output buffer would be lost (_leave).
        self._call(ffi.write_set_bytes_per_block, 0 if self._kind.at_end else BLOCK)
        self._call(ffi.write_set_bytes_in_last_block, 1)
        self._call(ffi.write_open, None, ffi.NO_OPEN_CB, self._callback, ffi.NO_CLOSE_CB)

    def add(self, entry: Entry, content: bytes) -> None:
        """Write a whole entry; of a link, its target."""
        content = content if entry.kind == "file" else b""
        self.begin(entry, len(content))
        if content:
            self.write([content])
        self.end()

    def begin(self, entry: Entry, size: int | None) -> None:
        """Begin an entry; its content follows in ``write``."""
        if self._kind.rooted:
            self._root(entry)
        made, facts = self._entry, (entry.kind, entry.mode, entry.modified)
        if facts != self._facts or size is None:
            _clear(made)
            _set_mode(made, entry.st_mode)
            _set_mtime(made, int(entry.modified.timestamp()), 0)
        # Of the next file often nothing but the name and the size will be another.
        self._facts = facts if entry.kind == "file" else None
        if _update_name(made, entry.name.encode()) != 1:
            raise RuntimeError(f"libarchive does not take the name {entry.name!r}")
        if self._kind.numbered:
            self._count += 1
            _set_ino(made, self._count)
            _set_nlink(made, 1)
        if entry.kind == "symlink":
            # libarchive-c's own linkpath would make it a hard link, and 7zip end the process.
            _update_symlink(made, entry.target.encode())
        if size is not None:
            _set_size(made, size)
        self._check("write_header", _write_header(self._pointer, made))
        self._begun = True

    def _root(self, entry: Entry) -> None:
        """Add the folders above the entry that are not there yet."""
        if entry.kind == "directory":
            self._folders.add(entry.name)
        for folder in map(str, reversed(PurePosixPath(entry.name).parents)):
            if folder not in self._folders:
                self.add(Entry(folder, kind="directory"), b"")

    def write(self, block: Block) -> None:
        """Write a block of the entry's content."""
        data = b"".join(block)
        self._check("write_data", _write_data(self._pointer, data, len(data)), len(data))

    def end(self) -> None:
        """End the entry."""
        self._check("write_finish_entry", _write_finish_entry(self._pointer))
        self._begun = False

    def cut(self) -> int | None:
        """Refuse to end a file whose size was told: it would be filled up with zeros."""
        return None if self._begun else 0

    def drain(self) -> Iterable[bytes]:
        """Return what was made since."""
        return self._sink.drain() if self._sink.size else ()

    rest = drain

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
        """Keep an entry in the middle from being filled up to its declared size.

        An archive that is freed is closed first, which does that; a failed one is not. But what is
        not closed loses memory: deflate 0.3 MiB, xz 7 MiB, libarchive 3.6 its output buffer. So a
        compressor always is in an archive of its own, and the buffer is asked back by closing.
        """
        if self._kind.needs_size:
            ffi.write_fail(self._pointer)
            if not self._kind.at_end:
                ffi.write_close(self._pointer)

    def _collect(self, _archive: int, _data: int, buffer: Any, length: int) -> int:
        # Must not raise: ctypes would print the error and return garbage.
        try:
            self._sink.write(ctypes.string_at(buffer, length))
        except BaseException as error:
            self._failure = error
            return -1
        return length

    def _call(self, function: Callable[..., int], *arguments: object) -> None:
        try:
            result = function(self._pointer, *arguments)
        except ffi.ArchiveError as error:
            raise (self._failure or error) from error
        self._check(function.__name__, result)

    def _check(self, function: str, result: int, expected: int = 0) -> None:
        if result == expected:
            return
        if result < 0 and result != ffi.ARCHIVE_WARN:
            raise self._failure or ffi.archive_error(self._pointer, result)
        # a warning, or fewer bytes written than given
        raise RuntimeError(f"libarchive: {function} returned {result}")


@contextmanager
def open_archive(
    kind: Format, options: str, sink: Spool, compressor: str | None = None
) -> Iterator[Archive]:
    """Open an archive that writes to ``sink``; free it however the block is left."""
    if not (_names_are_utf8() and _times_are_utc()):
        raise RuntimeError("call ensure_environment() when the process starts")
    archive = Archive(kind, sink)
    try:
        archive.open(options, compressor)
        yield archive
    finally:
        archive.release()
