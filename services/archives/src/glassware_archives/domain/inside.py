"""What is in a foreign archive, without unpacking it: its list, one entry, whether it is as told.

The archive is read by ``reader`` in a process of its own, which may die of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple

from glassware.media.text import FORBIDDEN
from glassware.problems import InvalidProblem, NotFoundProblem, Problem, TooLargeProblem
from glassware_archives.domain.ledger import MANIFEST
from glassware_archives.domain.names import check_names
from glassware_archives.domain.spool import BLOCK

PROBLEMS: Mapping[str, type[Problem]] = {
    "invalid": InvalidProblem,
    "not-found": NotFoundProblem,
    "too-large": TooLargeProblem,
}
#: What may be told of an entry in a manifest.
FACTS = ("size", "crc32", "sha256")


class Caution(NamedTuple):
    """What reading one archive may come to: entries, bytes, times its size, seconds."""

    entries: int = 10_000
    bytes: int = 1024**3
    ratio: float = 200.0
    seconds: float = 60.0


def listed(archive: IO[bytes], caution: Caution, verb: str = "list") -> list[dict[str, Any]]:
    """Return what the archive says of its entries; ``safe`` is a name that we would give one.

    With the verb ``digest`` the content of each file is read: its true size, CRC-32 and SHA-256.
    Raises InvalidProblem for what is broken, TooLargeProblem for what is a bomb.
    """
    with reading(archive, caution, verb) as output:
        entries = [json.loads(line) for line in output]
    for entry in entries:
        entry["safe"] = is_safe(entry)
        for text in ("name", "link"):
            # Not all that an archive can hold can be told in JSON and XML.
            entry[text] = entry[text] and FORBIDDEN.sub("\ufffd", entry[text])
        if entry["modified"] is not None:
            entry["modified"] = moment(entry["modified"])
    return entries


def extracted(archive: IO[bytes], name: str, caution: Caution) -> Iterator[bytes]:
    """Yield the content of the file of that name. Raises NotFoundProblem, and as ``listed``."""
    with reading(archive, caution, "extract", name=name) as output:
        while block := output.read(BLOCK):
            yield block


def faults(
    entries: Sequence[Mapping[str, Any]], manifest: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return in what the entries of an archive differ from the manifest; nothing where they do not.

    An item of the manifest has a ``name`` and any of ``FACTS``. That a manifest is in the archive
    itself is none of its faults.
    """
    found: dict[str, Mapping[str, Any]] = {}
    told = []
    for entry in entries:
        if entry["name"] in found:
            told.append(f"{entry['name']}: is there twice")
        found[entry["name"]] = entry
    wanted = {item["name"]: item for item in manifest}
    told += [f"{name}: is missing" for name in wanted if name not in found]
    told += [
        f"{name}: is not in the manifest"
        for name, entry in found.items()
        if name not in wanted and name != MANIFEST and entry["kind"] != "folder"
    ]
    for name, item in wanted.items():
        given = found.get(name, item)
        told += [
            f"{name}: its {fact} is {given.get(fact)}, not {item[fact]}"
            for fact in FACTS
            if fact in item and given.get(fact) != item[fact]
        ]
    return told


def is_safe(entry: Mapping[str, Any]) -> bool:
    """Return whether the entry stays where it is unpacked, on every system."""
    try:
        check_names([entry["name"].rstrip("/") if entry["kind"] == "folder" else entry["name"]])
    except InvalidProblem:
        return False
    return entry["kind"] in ("file", "folder")


def moment(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


@contextmanager
def reading(archive: IO[bytes], caution: Caution, verb: str, **more: str) -> Iterator[IO[bytes]]:
    """Start the reader, give its output, and raise what it refused; it is gone in the end."""
    wish = json.dumps({"verb": verb, **caution._asdict(), **more})
    command = [sys.executable, "-m", "glassware_archives.domain.reader", wish]
    archive.seek(0)
    archive.flush()
    process = subprocess.Popen(
        command, stdin=archive.fileno(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield process.stdout
            complaint = process.stderr.read(10_000)
            process.wait(caution.seconds)
        finally:
            process.kill()
    if process.returncode:
        raise refusal(complaint)


def refusal(complaint: bytes) -> Problem:
    """Return the problem that the reader told, or that it died of the archive."""
    try:
        told = json.loads(complaint)
        return PROBLEMS[told["slug"]](told["detail"])
    except (ValueError, KeyError, TypeError):
        return InvalidProblem("The archive cannot be read within its limits.")
