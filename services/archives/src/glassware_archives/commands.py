"""Archives made on the command line, for people and for cron."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassware.cli import Commands
from glassware.problems import BadRequestProblem, InvalidProblem

if TYPE_CHECKING:
    from glassware_archives.domain import Entry

archive = Commands("archive", "Archives, made here.", alone=True)

_BAR, _EVERY = 30, 0.1


@archive.command
def build(
    manifest: str,
    output: str = "-",
    passphrase_file: str | None = None,
    allow: str = "",
    quiet: bool = False,
) -> None:
    """Build the archive that a manifest describes.

    MANIFEST is a JSON file such as is sent to the archives service, but that the source of an entry
    may be a "file", named from where the manifest is. The name of the output says the format where
    the manifest does not. Hosts that are not public are fetched from when --allow has them.
    """
    from glassware.client import outside_client
    from glassware_archives.domain import (
        Ledger,
        Limits,
        Options,
        Workers,
        ensure_environment,
    )
    from glassware_archives.domain import build as built
    from glassware_archives.domain.sources import Ways, entries, told_size

    ensure_environment()
    wish = read(Path(manifest), output)
    if passphrase_file is not None:
        wish["passphrase"] = Path(passphrase_file).read_text("utf-8").partition("\n")[0]
    ways = Ways(outside_client(allow=tuple(filter(None, allow.split(","))), deadline=86_400), {})
    limits = Limits(max_entries=10**7, max_bytes=2**50, max_seconds=86_400, max_spool=2**40)
    sizes = [told_size(each) for each in wish["entries"]]
    ledger, progress = Ledger(), Progress(sizes, not quiet and sys.stderr.isatty())
    with closing(entries(wish["entries"], ways)) as opened:
        counted = progress.counted(opened)
        how = limits, Options.of(wish), Workers(), ledger
        write(progress.shown(built(wish["format"], counted, *how)), output)
    if ledger.errors:
        missing = (f"{each['name']} ({each['problem']['title']})" for each in ledger.errors)
        raise BadRequestProblem(f"Not in the archive, or not whole: {', '.join(missing)}.")


def read(path: Path, output: str) -> dict[str, Any]:
    """Return what the manifest asks for. Raises InvalidProblem."""
    from marshmallow import ValidationError

    from glassware.media import json
    from glassware_archives.domain import FORMATS
    from glassware_archives.schemas import ManifestSchema

    document: Any = json.loads(path.read_bytes())
    meant = [format for format in FORMATS if output.endswith(f".{format}")]
    if isinstance(document, dict) and meant:
        document = {"format": meant[0], **document}
    try:
        wish: dict[str, Any] = ManifestSchema().load(document)
    except ValidationError as error:
        raise InvalidProblem(errors={"manifest": [str(error)]}) from None
    for entry in wish["entries"]:
        if "file" in entry:
            local(entry, path.parent / entry.pop("file"))
    return wish


def local(entry: dict[str, Any], path: Path) -> None:
    """Have the entry take its content from a file, and its time and permissions unless told."""
    try:
        facts = path.stat()
    except OSError as error:
        raise InvalidProblem(errors={entry["name"]: [f"{path}: {error.strerror}"]}) from None
    moment = datetime.fromtimestamp(int(facts.st_mtime), UTC)
    entry["content"], entry["size"] = chunks(path), facts.st_size
    entry.setdefault("modified", moment)
    entry.setdefault("mode", f"{facts.st_mode & 0o777:o}")


def chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(256 * 1024):
            yield chunk


def write(blocks: Iterator[bytes], output: str) -> None:
    """Write the blocks to a file, which is there whole or not at all, or to the standard output."""
    if output == "-":
        for block in blocks:
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
        return
    draft = Path(f"{output}.part")
    try:
        with draft.open("wb") as file:
            for block in blocks:
                file.write(block)
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)


class Progress:
    """A line on a terminal: how far, how many entries of all, how many bytes, how fast, how long.

    It goes by the bytes that were read where all sizes are known before, else by the entries.
    """

    def __init__(self, sizes: Sequence[int | None], shows: bool) -> None:
        self._entries, self._shows = len(sizes), shows
        self._total = None if None in sizes else sum(size or 0 for size in sizes)
        self._done = self._read = self._made = 0
        self._began, self._next = time.monotonic(), 0.0

    def counted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries; the next is asked for when the last is in the archive."""
        for self._done, entry in enumerate(entries):
            yield entry._replace(content=self._watched(entry.content))
        self._done = self._entries

    def _watched(self, content: Iterable[Any]) -> Iterator[Any]:
        for chunk in content:
            self._read += len(chunk)
            self._tell()
            yield chunk

    def shown(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the blocks, and show how far they have come."""
        with suppress(GeneratorExit):
            for block in blocks:
                self._made += len(block)
                self._tell()
                yield block
        if self._shows:
            print(self.line(), file=sys.stderr)

    def _tell(self) -> None:
        if self._shows and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            print(self.line(), end="", file=sys.stderr, flush=True)

    def line(self) -> str:
        """Return the line, which takes the place of the one before."""
        seconds = max(0.001, time.monotonic() - self._began)
        share = self._read / self._total if self._total else self._done / max(1, self._entries)
        left = f"{seconds * (1 - share) / share:,.0f} s left" if 0 < share < 1 else ""
        size = self._made / 2**20
        told = f"{self._done}/{self._entries}  {size:,.1f} MiB  {size / seconds:,.0f} MiB/s  {left}"
        return f"\r[{'#' * int(_BAR * share):{_BAR}}] {told}\x1b[K"
