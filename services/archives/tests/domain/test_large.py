"""Zips at the edges of what their headers can say, in every reader; run by test-readers-large."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from glassware_archives.domain import Entry, Limits, Options, Workers, build
from glassware_archives.domain.deflate import LEVELS, crc32
from glassware_archives.domain.zip.length import zip_length

GIB = 1024**3
BLOCK = bytes(1024**2)
LIMITS = Limits(max_entries=100_000, max_bytes=20 * GIB, max_seconds=1800)
JAVA = Path(__file__).parent / "java" / "Read.java"
pytestmark = pytest.mark.readers

READERS = ("unzip", "7zz", "bsdtar", "bsdtar from a pipe", "python", "ZipFile", "ZipInputStream")

Facts = list[tuple[str, int, int]]


def zeros(size: int) -> Iterator[bytes]:
    for _ in range(size // len(BLOCK)):
        yield BLOCK
    if rest := size % len(BLOCK):
        yield bytes(rest)


@lru_cache
def crc(size: int) -> int:
    total = 0
    for block in zeros(size):
        total = crc32(block, total)
    return total


def facts(entries: list[Entry]) -> Facts:
    return [(entry.name, entry.size or 0, crc(entry.size or 0)) for entry in entries]


def by_python(path: Path) -> Facts:
    found = []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as file:
                while file.read(1 << 20):
                    pass  # the CRC is checked at the end
            found.append((info.filename, info.file_size, info.CRC))
    return found


def by_java(*names: str, piped: Path | None = None) -> Facts:
    with (piped or Path(os.devnull)).open("rb") as stdin:
        command = ["java", "-Xmx512m", str(JAVA), *names]
        done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    rows = (line.rsplit(" ", 2) for line in done.stdout.splitlines())
    return [(name, int(size), int(crc, 16)) for name, size, crc in rows]


def by_program(command: str) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        done = subprocess.run(
            ["sh", "-c", command.format(path=path)], capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]

    return read


BY: dict[str, Callable[[Path], Facts | None]] = {
    "unzip": by_program("unzip -tqq {path}"),
    "7zz": by_program("7zz t -bso0 -bsp0 {path}"),
    "bsdtar": by_program("bsdtar -xOf {path} >/dev/null"),
    "bsdtar from a pipe": by_program("cat {path} | bsdtar -xOf - >/dev/null"),
    "python": by_python,
    "ZipFile": lambda path: by_java(str(path)),
    "ZipInputStream": lambda path: by_java(piped=path),
}


def made(path: Path, entries: list[Entry], compression: str) -> Facts:
    options = Options(compression=compression)
    with path.open("wb") as file:
        for block in build("zip", entries, LIMITS, options, Workers()):
            # Zeros are left out of the file, so that it takes little room where they are stored.
            content = block.rstrip(b"\0")
            file.write(content)
            file.seek(len(block) - len(content), os.SEEK_CUR)
        file.truncate()
    return facts(entries)


def agree(path: Path, expected: Facts, *, but: tuple[str, ...] = ()) -> None:
    for reader in READERS:
        if reader in but:
            continue
        found = BY[reader](path)
        assert found is None or sorted(found) == sorted(expected), reader


SMALL = {"empty": 0, "one": 1, "block": LEVELS["fast"].block, "more": 1_000_003}


@pytest.mark.parametrize("compression", ["fast", "small", "store"])
@pytest.mark.parametrize("sized", [True, False])
def test_every_reader_agrees_on_a_zip(compression: str, sized: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    entries = [Entry(f"{name} ä文", zeros(size), size) for name, size in SMALL.items()]
    asked = entries if sized else [entry._replace(size=None) for entry in entries]
    made(path, asked, compression)
    agree(path, facts(entries))


EDGES = {
    "4 GiB - 2": 4 * GIB - 2,
    "4 GiB - 1": 4 * GIB - 1,
    "4 GiB": 4 * GIB,
    "5 GiB": 5 * GIB,
}


@pytest.mark.large
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(
    ("compression", "sized"), [("fast", True), ("fast", False), ("store", True)]
)
def test_every_reader_agrees_at_the_edge_of_4_gib(
    edge: str, compression: str, sized: bool, tmp_path: Path
) -> None:
    path, size = tmp_path / "a.zip", EDGES[edge]
    entries = [Entry("edge", zeros(size), size), Entry("after", zeros(9), 9)]
    asked = entries if sized else [entry._replace(size=None) for entry in entries]
    made(path, asked, compression)
    # Reading a pipe, bsdtar takes the sizes behind an entry for short ones, unless its header says
    # that they are long; which cannot be said before it is known, but for readers that then refuse.
    but = () if sized else ("bsdtar from a pipe",)
    if (compression, edge) == ("store", "4 GiB - 1"):
        but = ("unzip",)  # takes the one length that is also the mark of a longer one for the mark
    agree(path, facts(entries), but=but)
    assert compression != "store" or zip_length(entries) == path.stat().st_size


@pytest.mark.large
@pytest.mark.parametrize("count", [65_534, 65_535, 65_536])
def test_every_reader_agrees_at_the_edge_of_65535_entries(count: int, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    entries = [Entry(f"{index}", zeros(1), 1) for index in range(count)]
    agree(path, made(path, entries, "fast"))
    assert (b"PK\x06\x06" in path.read_bytes()) is (count >= 65_535)
