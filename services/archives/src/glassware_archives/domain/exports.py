"""Folders of this machine that its operator has exported, by name.

Every step of a path is opened in the folder before it and never through a symbolic link, so no
link leads out, and none that is put there meanwhile does either.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from glassware.problems import InvalidProblem
from glassware_archives.domain.ahead import Source
from glassware_archives.domain.spool import BLOCK

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Without waiting for whoever would write to a named pipe.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

Exports = Mapping[str, Path]


def exports(told: Sequence[str]) -> Exports:
    """Return the folders of ``name=/path`` items. Raises ValueError."""
    pairs = [item.partition("=") for item in told]
    if not all(name and path.startswith("/") for name, _, path in pairs):
        raise ValueError("an export is written name=/absolute/path")
    return {name: Path(path) for name, _, path in pairs}


@contextmanager
def file(root: Path, path: str) -> Iterator[Source]:
    """Open a regular file below the root. Raises InvalidProblem, which tells nothing of others."""
    with known():
        *folders, name = steps(path)
        with descended(root, folders) as folder:
            content = os.open(name, FILE, dir_fd=folder)
    try:
        facts = os.fstat(content)
        if not stat.S_ISREG(facts.st_mode):
            raise missing()
        yield Source(blocks(content), facts.st_size)
    finally:
        os.close(content)


def tree(root: Path, path: str) -> Iterator[str]:
    """Yield the paths of all that is no folder in the folder at the path, in their order.

    What is no regular file is among them: it is for whoever opens it to refuse.
    """
    with known(), descended(root, steps(path)) as folder:
        for place, folders, names, here in os.fwalk(".", dir_fd=folder):
            folders.sort()
            links = [name for name in folders if is_link(name, here)]
            for name in sorted([*names, *links]):
                yield str(PurePath(place, name))


@contextmanager
def descended(root: Path, folders: Sequence[str]) -> Iterator[int]:
    """Open the folder that the steps lead to."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in folders:
            inner = os.open(name, FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def is_link(name: str, folder: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def steps(path: str) -> list[str]:
    names = path.strip("/").split("/") if path.strip("/") else []
    if any(name in ("", ".", "..") or "\0" in name for name in names):
        raise missing()
    return names


def blocks(content: int) -> Iterator[bytes]:
    while block := os.read(content, BLOCK):
        yield block


@contextmanager
def known() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError):
        raise missing() from None


def missing() -> InvalidProblem:
    return InvalidProblem("Nothing of that name is exported, or it is no regular file.")
