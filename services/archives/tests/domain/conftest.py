"""Readers that are not the writer's own loop, and clean processes to run it in."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from base64 import b64decode
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from glassware_archives.domain import ensure_environment

Unpack = Callable[[str, bytes], dict[str, bytes]]


@pytest.fixture(scope="session", autouse=True)
def environment() -> None:
    ensure_environment()


def by_libarchive(data: bytes) -> list[tuple[str, bytes]]:
    import libarchive

    with libarchive.memory_reader(data) as archive:
        return [(entry.pathname, b"".join(entry.get_blocks())) for entry in archive if entry.isfile]


def by_zipfile(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def by_tarfile(data: bytes) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [(info.name, archive.extractfile(info).read()) for info in archive]


def by_heap(data: bytes) -> list[tuple[str, bytes]]:
    """Read a xar: a header, a compressed table in XML, and what it points into."""
    if not data:
        return []  # which is what libarchive makes of no entries
    start, _, packed = struct.unpack_from(">4xHHQ", data)
    table = ElementTree.fromstring(zlib.decompress(data[start : start + packed]))
    heap, found = start + packed, []

    def walk(node: ElementTree.Element, folder: str) -> None:
        for file in node.findall("file"):
            label = file.find("name")
            base64 = label.get("enctype") == "base64"
            name = folder + (b64decode(label.text).decode() if base64 else label.text)
            if file.findtext("type") == "file":
                place = [int(file.findtext(f"data/{key}", "0")) for key in ("offset", "length")]
                content = data[heap + place[0] : heap + sum(place)]
                found.append((name, zlib.decompress(content) if content else b""))
            walk(file, f"{name}/")

    walk(table.find("toc"), "")
    return found


READERS = {
    "xar": (by_heap,),
    "zip": (by_libarchive, by_zipfile),
    "tar": (by_libarchive, by_tarfile),
    "tar.gz": (by_libarchive, by_tarfile),
    "tar.bz2": (by_libarchive, by_tarfile),
    "tar.xz": (by_libarchive, by_tarfile),
}


@pytest.fixture(scope="session")
def unpack() -> Unpack:
    """Read an archive with all readers at hand, which must agree."""

    def read(format: str, data: bytes) -> dict[str, bytes]:
        results = [reader(data) for reader in READERS.get(format, (by_libarchive,))]
        assert all(sorted(result) == sorted(results[0]) for result in results)
        assert len(dict(results[0])) == len(results[0])
        return dict(results[0])

    return read


@pytest.fixture(scope="session")
def python() -> Callable[..., str]:
    """Run a script in a process of its own, with little more in its environment than is given."""

    def run(script: str, **environ: str) -> str:
        path = os.pathsep.join(filter(None, sys.path))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env={"PATH": os.defpath, "PYTHONPATH": path, **environ},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (done.returncode, done.stderr)
        return done.stdout

    return run
