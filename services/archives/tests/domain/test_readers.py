"""Foreign programs read every format, and unpack it inside the target."""

from __future__ import annotations

import os
import random
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.problems import InvalidProblem
from glassware_archives.domain import FORMATS, Entry, Format, Limits, Options, build, check_names
from glassware_archives.domain.entries import EARLIEST

pytestmark = pytest.mark.readers

COMMANDS = {
    "bsdtar": ["bsdtar", "-xf", "{path}"],
    "bsdtar from a pipe": ["sh", "-c", "cat {path} | bsdtar -xf -"],
    "tar": ["tar", "-xf", "{path}"],
    "unzip": ["unzip", "-qq", "{path}"],
    "7zz": ["7zz", "x", "-bso0", "{path}"],
    "cpio": ["sh", "-c", "cpio --quiet -id --no-absolute-filenames <{path}"],
    "ar": ["ar", "x", "{path}"],
    "unar": ["unar", "-q", "-D", "{path}"],
    "zstd and tar": ["sh", "-c", "zstd -dc {path} | tar -xf -"],
    "lz4 and tar": ["sh", "-c", "lz4 -dc {path} | tar -xf -"],
    "xorriso": [
        "sh",
        "-c",
        "xorriso -osirrox on -indev {path} -extract / . 2>/dev/null && chmod -R u+w .",
    ],
    "7zz but its table": ["7zz", "x", "-bso0", "-bse0", "-x![TOC].xml", "{path}"],
    "7zz through the tar": ["sh", "-c", "7zz x -so {path} | 7zz x -bso0 -si -ttar"],
}
ENVIRON = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/sbin:/usr/bin:/bin"}
TARS = ("bsdtar", "bsdtar from a pipe", "tar", "7zz through the tar")
ABLE = {
    "zip": ("bsdtar", "bsdtar from a pipe", "unzip", "7zz"),
    "zip of libarchive": ("bsdtar", "unzip", "7zz", "unar"),
    "tar": ("bsdtar", "bsdtar from a pipe", "tar", "7zz"),
    "tar.gz": TARS,
    "tar.bz2": TARS,
    "tar.xz": TARS,
    "tar.zst": ("bsdtar", "bsdtar from a pipe", "7zz through the tar", "zstd and tar"),
    "tar.lz4": ("bsdtar", "bsdtar from a pipe", "lz4 and tar"),
    "7z": ("bsdtar", "7zz", "unar"),
    "cpio": ("bsdtar", "bsdtar from a pipe", "cpio", "7zz"),
    "ar": ("bsdtar", "ar", "7zz"),
    "xar": ("bsdtar", "7zz but its table", "unar"),
    "iso": ("bsdtar", "7zz", "xorriso"),
}

reading = pytest.mark.parametrize(
    ("format", "reader"), [(format, reader) for format in ABLE for reader in ABLE[format]]
)


def written(name: str, entries: list[Entry]) -> bytes:
    format, _, library = name.partition(" of ")
    return b"".join(build(format, entries, Limits(), Options(library=bool(library))))


@contextmanager
def unpacked(format: str, reader: str, entries: list[Entry]) -> Iterator[Path]:
    """Give the folder that the archive was unpacked in, which is in one of its own."""
    with TemporaryDirectory() as folder:
        path, target = Path(folder, "archive"), Path(folder, "outer", "target")
        path = path.with_suffix(f".{format.partition(' ')[0]}")
        target.mkdir(parents=True)
        path.write_bytes(written(format, entries))
        command = [part.format(path=path) for part in COMMANDS[reader]]
        subprocess.run(command, cwd=target, env=ENVIRON, check=True, timeout=60)
        yield target


def extract(format: str, reader: str, entries: list[Entry]) -> dict[str, bytes]:
    """Return the files that are below the folder around the target afterwards."""
    with unpacked(format, reader, entries) as target:
        files = [path for path in target.parent.rglob("*") if path.is_file()]
        return {str(file.relative_to(target)): file.read_bytes() for file in files}


UNDECODED = {("xar", "7zz but its table"), ("xar", "unar")}


def kind(format: str) -> Format:
    return FORMATS[format.partition(" ")[0]]


def fits(name: str, format: str, reader: str) -> bool:
    """Whether the format can hold the name: some know no folders, or no long parts.

    In a xar libarchive writes names that are not ASCII in base64, which some take for the name.
    """
    if (format, reader) in UNDECODED and not name.isascii():
        return False
    try:
        return bool(check_names([name], kind(format)))
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


MOMENT = datetime(2020, 2, 2, 2, 2, 2, tzinfo=UTC)
#: Joliet, which 7zz reads of an ISO, has neither permissions nor links, the beginning of a zip has
#: neither, and what xorriso unpacks is made writable above.
WITHOUT_LINKS = {("iso", "7zz"), ("iso", "xorriso"), ("zip", "bsdtar from a pipe")}
LINKED = [
    (format, reader)
    for format in ABLE
    for reader in ABLE[format]
    if not kind(format).flat and (format, reader) not in WITHOUT_LINKS
]


@pytest.mark.parametrize(("format", "reader"), LINKED)
def test_program_makes_folders_links_and_permissions_as_they_are(format: str, reader: str) -> None:
    entries = [
        Entry("bin", kind="directory", mode=0o750),
        Entry("bin/run", [b"#!/bin/sh"], mode=0o755),
        Entry("bin/go", kind="symlink", target="run"),
        Entry("secret", [b"x"], mode=0o600),
    ]
    entries = [entry._replace(modified=MOMENT) for entry in entries]
    with unpacked(format, reader, entries) as target:
        found = {
            str(path.relative_to(target)): stat.filemode(path.lstat().st_mode)
            for path in target.rglob("*")
        }
        assert found == {
            "bin": "drwxr-x---",
            "bin/run": "-rwxr-xr-x",
            "bin/go": "lrwxrwxrwx",
            "secret": "-rw-------",
        }
        assert (target / "bin/go").readlink() == Path("run")
        if reader != "cpio":  # which would have to be asked for it
            assert (target / "secret").stat().st_mtime == MOMENT.timestamp()


def test_program_finds_a_tree_to_be_what_its_mtree_says(tmp_path: Path) -> None:
    noise = random.Random(3).randbytes(1_500_000)
    contents = {"empty": b"", "a/b.txt": b"text", "c/d/e f": b"deep", "noise": noise}
    entries = [
        Entry("a", kind="directory", mode=0o700),
        Entry("a/go", kind="symlink", target="b.txt"),
        *(Entry(name, [content], mode=0o644) for name, content in contents.items()),
    ]
    told = written("mtree", entries)
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "a").chmod(0o700)
    (tree / "a" / "go").symlink_to("b.txt")
    for name, content in contents.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
        (tree / name).chmod(0o644)
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (EARLIEST.timestamp(),) * 2, follow_symlinks=False)

    def differs() -> str:
        command = ["mtree", "-p", str(tree)]
        done = subprocess.run(command, input=told, env=ENVIRON, capture_output=True)
        assert b"failed" not in done.stderr
        return done.stdout.decode()

    assert differs() == ""
    (tree / "noise").write_bytes(noise[:-1] + b"x")
    assert "noise" in differs()
    (tmp_path / "told").write_bytes(told)
    command = ["bsdtar", "-tf", str(tmp_path / "told")]
    listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    names = {name.removeprefix("./") for name in listed.splitlines()}
    assert names == {*contents, ".", "a", "a/go", "c", "c/d"}


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
        "b" * 15,
        "b" * 15 + "c",
        "__.SYMDEF",
    ]
) | st.text(max_size=4)


@pytest.mark.parametrize(
    ("format", "reader"),
    [(format, reader) for format in ABLE for reader in ABLE[format] if reader != "unar"],
)  # unar renames what other programs leave
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
            good = check_names([*good, name], kind(format))
        except InvalidProblem:
            continue
    entries = [Entry(name, [name.encode()]) for name in good]
    assert extract(format, reader, entries) == {name: name.encode() for name in good}
