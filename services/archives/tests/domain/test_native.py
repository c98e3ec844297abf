"""The library is found, and the process is made fit for it, wherever it runs."""

from __future__ import annotations

import errno
import io
import random
from collections.abc import Callable

import pytest

from glassware_archives.domain import FORMATS, Entry, Limits, Options, build
from glassware_archives.domain.native import Archive, locate_library, open_archive
from glassware_archives.domain.spool import BLOCK, Spool

BUNDLED = locate_library("libarchive.so.none")

WRITERS = {kind.writer: kind for kind in FORMATS.values()}

DIGESTS = """
import hashlib
from datetime import datetime, timezone
from glassware_archives.domain import FORMATS, Entry, Limits, build, ensure_environment, library
ensure_environment()
def entries():
    moment = datetime(2024, 7, 1, 23, 30, tzinfo=timezone.utc)
    yield Entry("\\u6587\\u66f8\\u00e9.txt", [b"x" * 100_000], modified=moment)
    yield Entry("b" * 200, [b"y"], 1)
for format, kind in FORMATS.items():
    if not kind.clocked:
        data = b"".join(build(format, entries(), Limits()))
        print(format, hashlib.sha256(data).hexdigest())
"""

ENVIRONMENTS = [
    {"LANG": "C"},
    {"LC_ALL": "C", "TZ": "Asia/Tokyo"},
    {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "TZ": "America/New_York"},
    {"LANG": "C.UTF-8", "TZ": "UTC+3"},
    {"LC_ALL": "no_SUCH", "TZ": "Nowhere/Else"},
]


def test_bytes_do_not_depend_on_locale_and_time_zone(python: Callable[..., str]) -> None:
    plain = python(DIGESTS)
    for environ in ENVIRONMENTS:
        assert python(DIGESTS, **environ) == plain, environ


def test_process_that_is_not_fit_is_told_so_instead_of_crashing(python: Callable[..., str]) -> None:
    unfit = DIGESTS.replace("\nensure_environment()", "")
    script = f"try:\n    exec({unfit!r})\nexcept RuntimeError as error:\n    print(error)"
    for environ in ({"LC_ALL": "C", "TZ": "UTC"}, {"LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"}):
        assert "ensure_environment()" in python(script, **environ)


@pytest.mark.parametrize("writer", ["zip", "pax_restricted", "7zip"])
def test_write_that_libarchive_cuts_short_is_an_error(writer: str) -> None:
    with open_archive(WRITERS[writer], "", Spool()) as archive:
        archive.begin(Entry("a"), 5)
        with pytest.raises(RuntimeError, match="write_data"):
            archive.write([b"123456"])


def test_entry_has_nothing_of_the_one_before(unpack) -> None:
    contents = {"a": b"a", "b": b"bb" * BLOCK, "c": b"", "d": b"d"}
    entries = [Entry(name, [data], len(data) or None) for name, data in contents.items()]
    entries[1] = entries[1]._replace(size=None)
    data = b"".join(build("zip", entries, Limits(), Options(library=True)))
    assert unpack("zip", data) == contents


PAGES = """
import resource
from os import urandom
from glassware_archives.domain import Entry, Limits, build, ensure_environment
ensure_environment()
def run():
    content = (str(number).encode() * 20_000 + urandom(9_000) for number in range(256))
    return sum(map(len, build("zip", [Entry("a", content)], Limits())))
run()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
run()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_memory_is_not_asked_for_anew_for_each_block(python: Callable[..., str]) -> None:
    assert int(python(PAGES)) < 300


@pytest.mark.parametrize("writer", ["pax_restricted", "7zip"])
def test_entry_left_in_the_middle_is_not_filled_up_to_its_size(writer: str) -> None:
    sink = Spool()
    with open_archive(WRITERS[writer], "", sink) as archive:
        archive.begin(Entry("a"), 1024 * BLOCK)
        archive.write([bytes(BLOCK)])
        before = sink.size
    assert sink.size <= before + BLOCK
    assert writer != "7zip" or sink.size == 0
    sink.close()


@pytest.mark.parametrize("writer", ["zip", "7zip"])
def test_error_of_the_sink_is_raised_where_the_archive_is_written(writer: str) -> None:
    def full() -> io.BytesIO:
        raise OSError(errno.ENOSPC, "No space left on device")

    noise = random.Random(5)
    with open_archive(WRITERS[writer], "", Spool(full)) as archive:
        archive.begin(Entry("a"), 32 * BLOCK)
        with pytest.raises(OSError, match="No space"):
            write_all(archive, [noise.randbytes(BLOCK) for _ in range(32)])


def write_all(archive: Archive, blocks: list[bytes]) -> None:
    for block in blocks:
        archive.write([block])
    archive.end()
    archive.finish()


def test_bundled_library_is_used_when_it_is_named(python: Callable[..., str]) -> None:
    script = DIGESTS + "print(library())"
    output = python(script, LIBARCHIVE=BUNDLED)
    assert output.endswith("libarchive 3.8.10\n")
    assert output.count("\n") == 1 + sum(not kind.clocked for kind in FORMATS.values())


def test_bundled_library_is_used_when_the_system_has_none(python: Callable[..., str]) -> None:
    hide = """
import ctypes
class Hidden(ctypes.CDLL):
    def __init__(self, name, *args, **kwargs):
        if name == "libarchive.so.13":
            raise OSError("hidden")
        super().__init__(name, *args, **kwargs)
ctypes.CDLL = Hidden
"""
    bundled = python(DIGESTS, LIBARCHIVE=BUNDLED)
    assert python(hide + DIGESTS) == bundled


def test_process_without_any_library_is_told_what_to_install(python: Callable[..., str]) -> None:
    script = """
import sys
from glassware_archives.domain.native import locate_library
sys.path.clear()
try:
    locate_library("libarchive.so.none")
except ImportError as error:
    print(error)
"""
    assert "libarchive13" in python(script)


@pytest.mark.readers  # which installs Debian's library
def test_library_of_the_system_comes_first(python: Callable[..., str]) -> None:
    assert locate_library() == "libarchive.so.13"
    assert python(DIGESTS, LIBARCHIVE="libarchive.so.13") == python(DIGESTS)
