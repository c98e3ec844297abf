"""Foreign programs read every format, and unpack it inside the target."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.problems import InvalidProblem
from glassware_archives.domain import FORMATS, Entry, Limits, build, check_names

pytestmark = pytest.mark.readers

COMMANDS = {
    "bsdtar": ["bsdtar", "-xf", "{path}"],
    "bsdtar from a pipe": ["sh", "-c", "cat {path} | bsdtar -xf -"],
    "tar": ["tar", "-xf", "{path}"],
    "unzip": ["unzip", "-qq", "{path}"],
    "7zz": ["7zz", "x", "-bso0", "{path}"],
    "cpio": ["sh", "-c", "cpio --quiet -id --no-absolute-filenames <{path}"],
    "ar": ["ar", "x", "{path}"],
    "lz4 and tar": ["sh", "-c", "lz4 -dc {path} | tar -xf -"],
    "xorriso": [
        "sh",
        "-c",
        "xorriso -osirrox on -indev {path} -extract / . 2>/dev/null && chmod -R u+w .",
    ],
    "7zz but its table": ["7zz", "x", "-bso0", "-bse0", "-x![TOC].xml", "{path}"],
    "7zz through the tar": ["sh", "-c", "7zz x -so {path} | 7zz x -bso0 -si -ttar"],
}
TARS = ("bsdtar", "bsdtar from a pipe", "tar", "7zz through the tar")
ABLE = {
    "zip": ("bsdtar", "bsdtar from a pipe", "unzip", "7zz"),
    "tar": ("bsdtar", "bsdtar from a pipe", "tar", "7zz"),
    "tar.gz": TARS,
    "tar.bz2": TARS,
    "tar.xz": TARS,
    "tar.zst": ("bsdtar", "bsdtar from a pipe", "7zz through the tar"),
    "tar.lz4": ("bsdtar", "bsdtar from a pipe", "lz4 and tar"),
    "7z": ("bsdtar", "7zz"),
    "cpio": ("bsdtar", "bsdtar from a pipe", "cpio", "7zz"),
    "ar": ("bsdtar", "ar"),
    "xar": ("bsdtar", "7zz but its table"),
    "iso": ("bsdtar", "7zz", "xorriso"),
}

reading = pytest.mark.parametrize(
    ("format", "reader"), [(format, reader) for format in ABLE for reader in ABLE[format]]
)


def extract(format: str, reader: str, entries: list[Entry]) -> dict[str, bytes]:
    """Return the files that are below the folder around the target afterwards."""
    with TemporaryDirectory() as folder:
        path, target = Path(folder, f"archive.{format}"), Path(folder, "outer", "target")
        target.mkdir(parents=True)
        path.write_bytes(b"".join(build(format, entries, Limits())))
        command = [part.format(path=path) for part in COMMANDS[reader]]
        environ = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
        subprocess.run(command, cwd=target, env=environ, check=True, timeout=60)
        files = [path for path in Path(folder, "outer").rglob("*") if path.is_file()]
        return {str(file.relative_to(target)): file.read_bytes() for file in files}


def fits(name: str, format: str, reader: str) -> bool:
    """Whether the format can hold the name: some know no folders, or no long parts.

    In a xar libarchive writes names that are not ASCII in base64, which 7zz takes for the name.
    """
    if reader == "7zz but its table" and not name.isascii():
        return False
    try:
        return bool(check_names([name], FORMATS[format]))
    except InvalidProblem:
        return False


@reading
def test_program_reads_what_was_written(format: str, reader: str) -> None:
    noise = random.Random(3).randbytes(1_500_000)
    contents = {
        "empty": b"",
        "small.txt": b"small",
        "文書/é.txt": b"text " * 50_000,
        "deep/" * 20 + "x" * 200: b"long name",
        "noise": noise,
    }
    contents = {name: each for name, each in contents.items() if fits(name, format, reader)}
    assert len(contents) >= 3
    for size in (None, len):
        entries = [Entry(n, [c], size and size(c)) for n, c in contents.items()]
        assert extract(format, reader, entries) == contents


PARTS = st.sampled_from(
    [
        "a",
        "A",
        "é",
        "e\u0301",
        "..",
        "",
        "con",
        "b ",
        "C:",
        "\\",
        "-",
        "-n",
        "[a]",
        "%s",
        "@a",
        "~",
        ";",
        "a;1",
    ]
) | st.text(max_size=4)


@reading
@given(names=st.lists(st.lists(PARTS, min_size=1, max_size=3).map("/".join), max_size=12))
@settings(max_examples=15, deadline=None)
def test_program_unpacks_whatever_passes_inside_the_target(
    format: str, reader: str, names: list[str]
) -> None:
    good = ["a"]  # unzip takes an archive of nothing for a mistake
    for name in names:
        if not fits(name, format, reader):
            continue
        try:
            good = check_names([*good, name], FORMATS[format])
        except InvalidProblem:
            continue
    entries = [Entry(name, [name.encode()]) for name in good]
    assert extract(format, reader, entries) == {name: name.encode() for name in good}
