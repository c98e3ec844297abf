"""What became of each entry: the manifest, and what could not be had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from glassware.media import json
from glassware.problems import Problem, UpstreamProblem
from glassware_archives.domain.deflate import crc32
from glassware_archives.domain.entries import Entry
from glassware_archives.domain.options import Options

MANIFEST, ERRORS = "_manifest.json", "_errors.json"


class Ledger:
    """The account of one build; it may be looked at while the build goes on.

    ``entries`` are name, size, CRC-32 and SHA-256 (hexadecimal) of what is in the archive, kept
    where a manifest was asked for; ``errors`` are name, problem and bytes of what failed.
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []

    def failed(self, entry: Entry, error: Exception, written: int) -> None:
        """Note the failure of a source, and how much of its content is in the archive."""
        problem = error if isinstance(error, Problem) else UpstreamProblem("The source failed.")
        document = problem.document()
        self.errors.append({"name": entry.name, "bytes": written, "problem": document})

    def problem(self) -> Problem | None:
        """Return the problem of the entries that are missing, or are not whole."""
        if not self.errors:
            return None
        told = {
            each["name"]: [f"{each['problem']['title']}; {each['bytes']} bytes of it are there."]
            for each in self.errors
        }
        return UpstreamProblem("Not in the archive, or not whole.", errors=told)

    def reserved(self, options: Options) -> Iterator[str]:
        """Yield the names that the documents take."""
        if options.manifest:
            yield MANIFEST
        if options.on_error == "report":
            yield ERRORS

    def documents(self, options: Options) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of what is told in the archive itself."""
        if options.manifest:
            yield MANIFEST, json.dumps({"entries": self.entries})
        if self.errors:
            yield ERRORS, json.dumps({"errors": self.errors})


class Facts:
    """What a manifest says of one entry."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._digest, self._crc, self._size = sha256(), 0, 0

    def watch(self, content: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the content, having taken note of it."""
        for block in content:
            self._digest.update(block)
            self._crc = crc32(block, self._crc)
            self._size += len(block)
            yield block

    def document(self) -> dict[str, Any]:
        """Return the entry's name, size, CRC-32 and SHA-256."""
        sums = {"crc32": f"{self._crc:08x}", "sha256": self._digest.hexdigest()}
        return {"name": self._name, "size": self._size, **sums}
