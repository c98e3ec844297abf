"""The machine: files and who may read them, room, limits."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from glassware.cli.doctor.case import Case
from glassware.db.onlooker import sqlite_file

#: Least room: a share of the disk, or so many bytes where the share is more than that.
LEAST_SHARE, LEAST_BYTES = 0.1, 1 << 30
#: What most systems give a process; each caller, and what is done for them, takes a few.
LEAST_FILES = 1024


def symptom_the_state_cannot_be_written(case: Case) -> Iterator[str]:
    """The service cannot write into the folder of its state.

    SQLite writes beside its database, and a backup needs room there. Give the folder to the user
    that the service runs as, or set service.state_dir to another.
    """
    folders = {case.config["service.state_dir"]}
    if path := sqlite_database(case):
        folders.add(path.parent)
    for folder in sorted(folders):
        if not folder.is_dir():
            yield f"there is no folder {folder}"
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield f"{folder} cannot be written by {owner_name(os.geteuid())}"


def symptom_secrets_can_be_read_by_others(case: Case) -> Iterator[str]:
    """A secret is in a file that others than its owner may read, or that is somebody else's.

    Whoever reads it can forge what it signs. chown it to the service's user or to root, and chmod
    it to 0600, its folder to 0700; if others use the machine, make a new secret.
    """
    files = {
        Path(origin.removeprefix("file "))
        for origin in map(case.config.origin, case.config)
        if origin.startswith("file ")
    }
    folder = case.config["service.secrets_dir"]
    for path in sorted({*files, folder, *(file.parent for file in files)}):
        if not path.exists():
            continue
        about = path.stat()
        if about.st_mode & 0o077:
            yield f"{path} has the mode {about.st_mode & 0o777:04o}"
        if about.st_uid not in (0, os.geteuid()):
            yield f"{path} belongs to {owner_name(about.st_uid)}"


def symptom_the_database_can_be_read_by_others(case: Case) -> Iterator[str]:
    """Every user of the machine may read the SQLite database.

    It holds what callers entrusted to the service. chmod it to 0600, or its folder to 0700.
    """
    for path in sqlite_files(case):
        if path.stat().st_mode & 0o004 and reached_by_others(path.parent):
            yield f"{path} has the mode {path.stat().st_mode & 0o777:04o}"


def symptom_the_database_belongs_to_several(case: Case) -> Iterator[str]:
    """The files of the SQLite database belong to different users, or not to who runs the service.

    It happens when a command is run as root, or as oneself, and then the service cannot write.
    chown them all to the user that the service runs as.
    """
    for path in sqlite_files(case):
        expected = os.geteuid() or path.parent.stat().st_uid
        if path.stat().st_uid != expected:
            yield (
                f"{path} belongs to {owner_name(path.stat().st_uid)}, not {owner_name(expected)}"
            )


def symptom_the_disk_is_nearly_full(case: Case) -> Iterator[str]:
    """There is little room left where the service keeps its state.

    When there is none, every write is answered by a 503, and a backup cannot be made. Make room,
    or move service.state_dir.
    """
    folder = existing(case.config["service.state_dir"])
    disk = shutil.disk_usage(folder)
    if disk.free <= min(LEAST_BYTES, disk.total * LEAST_SHARE):
        yield f"{disk.free / 2**20:,.0f} MiB of {disk.total / 2**20:,.0f} are free at {folder}"


def symptom_few_files_may_be_open(_case: Case) -> Iterator[str]:
    """The limit of open files is low.

    A caller takes one, and what is done for them some more; at the limit nobody gets in. Raise
    LimitNOFILE= of the unit, or `ulimit -n`.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < LEAST_FILES:
        yield f"{limit} files may be open at once"


def sqlite_database(case: Case) -> Path | None:
    return sqlite_file(case.config["database.url"]) if case.stored else None


def sqlite_files(case: Case) -> list[Path]:
    """Return the files of the database that exist."""
    path = sqlite_database(case)
    beside = [] if path is None else [path.with_name(path.name + end) for end in ("-wal", "-shm")]
    return [each for each in (path, *beside) if each is not None and each.exists()]


def reached_by_others(folder: Path) -> bool:
    """Whether those who own nothing here may pass to what is in the folder."""
    return all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents))


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def owner_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user {uid}"
