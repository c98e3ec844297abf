"""The pipeline: entries in, the bytes of an archive out, pulled by whoever wants them.

No pipe, and no thread but those that compress: a block goes into the writer, and what it made is
yielded before the next block is asked for. So a client that pauses pauses the sources too, and
memory stays at a few blocks whatever the size of an archive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain

from glassware.problems import InvalidProblem, TooLargeProblem
from glassware_archives.domain.entries import Block, Entry, Limits
from glassware_archives.domain.formats import FILTER, FORMATS, Format
from glassware_archives.domain.gzip import gzipped
from glassware_archives.domain.ledger import Facts, Ledger
from glassware_archives.domain.meter import Meter, blocks
from glassware_archives.domain.names import Names
from glassware_archives.domain.native import open_archive
from glassware_archives.domain.options import Options
from glassware_archives.domain.spool import Spool
from glassware_archives.domain.workers import Workers
from glassware_archives.domain.writer import Writer
from glassware_archives.domain.zip.writer import Zip

Stream = Generator[bytes, None, None]
Clock = Callable[[], float]

_ZIP64_FROM = 2**32 - 1
ALONE = Workers(1)
PLAIN = Options()


def build(
    format: str,
    entries: Iterable[Entry],
    limits: Limits,
    options: Options = PLAIN,
    workers: Workers = ALONE,
    ledger: Ledger | None = None,
    clock: Clock = time.monotonic,
) -> Stream:
    """Return the archive as an iterator of blocks of at most half a MiB.

    The same entries, limits and options give the same bytes with the same libraries, however many
    workers there are; but for the formats that are ``clocked``, and for what is encrypted. What
    fails, fails while the iterator is pulled. The first block comes when 64 KiB are ready, or at
    the end, so pulling it finds what is wrong with small archives and at the beginning of large
    ones. The bytes that came before a later failure have no valid end, and must not be given one:
    cut the connection. Closing the iterator closes the content being read, and frees memory and
    files. ``ledger`` is told of each entry meanwhile.

    Raises InvalidProblem for the format, an option, a name, or a size that does not hold;
    TooLargeProblem for a limit; and whatever an entry's content raises, with a note that names the
    entry, unless the options say that it is to be reported.
    """
    kind = FORMATS.get(format)
    if kind is None:
        raise InvalidProblem(errors={"format": [f"Must be one of {', '.join(FORMATS)}."]})
    options.check(kind)
    plain = _Build(kind, limits, options, workers, ledger or Ledger(), clock).stream(entries)
    if kind.compressor is None:
        return plain
    if kind.compressor == "gzip":
        return gzipped(plain, options.level(kind), workers)
    return _compressed(kind, options, plain)


@dataclass
class _Build:
    """One build, and what was chosen for it."""

    kind: Format
    limits: Limits
    options: Options
    workers: Workers
    ledger: Ledger
    clock: Clock

    def stream(self, entries: Iterable[Entry]) -> Stream:
        """Yield the archive, before it is compressed as a whole."""
        kind, ledger, options = self.kind, self.ledger, self.options
        meter, names = self._meter(), Names(kind, options.names == "rewrite")
        names.reserve(ledger.reserved(options))
        with self._writer() as writer:
            block, manifest = writer.block, options.manifest
            for index, entry in enumerate(entries):
                facts: Facts | None = None
                written: int | None = 1
                given, source, size, _, what, _, target = entry
                try:
                    name = names.add(index, given, what == "directory")
                    if name != given:
                        entry = entry._replace(name=name)
                    meter.admit(index, entry, kind)
                    if what == "file":
                        content = meter.read(index, entry)
                        if manifest:
                            facts = Facts(name)
                            content = facts.watch(content)
                        if size is not None and size < block:
                            writer.add(entry, b"".join(content))
                        else:
                            yield from self._file(writer, meter, entry, content)
                    else:
                        names.link(index, entry)
                        writer.add(entry, target.encode())
                except Exception as error:
                    reported = self._reports and error is meter.fault
                    if not reported or (written := writer.cut()) is None:
                        error.add_note(f"entry {index}: {entry.name!r}")
                        raise
                    ledger.failed(entry, error, written)
                finally:
                    if close := getattr(source, "close", None):
                        close()
                if facts and written:
                    ledger.entries.append(facts.document())
                yield from writer.drain()
            for name, document in ledger.documents(options):
                writer.add(Entry(name), document)
            writer.finish()
            yield from writer.rest()

    def _file(
        self, writer: Writer, meter: Meter, entry: Entry, content: Iterator[bytes]
    ) -> Iterator[bytes]:
        """Write a file of any size, block by block."""
        split = blocks(content, writer.block)
        first = next(split, [])
        if meter.count < writer.block:
            writer.add(entry, b"".join(first))
        else:
            yield from self._large(writer, meter, entry, chain((first,), split))

    def _large(
        self, writer: Writer, meter: Meter, entry: Entry, content: Iterable[Block]
    ) -> Iterator[bytes]:
        """Write a file block by block; first put aside where only the whole can be written."""
        size = entry.size
        with closing(Spool()) as spool:
            if self._aside(size):
                size = _put_aside(content, spool, meter, self.limits.max_spool)
                content = blocks(spool.drain(), writer.block)
            writer.begin(entry, size)
            for block in content:
                writer.write(block)
                yield from writer.drain()
            writer.end()

    def _aside(self, size: int | None) -> bool:
        if self._own:
            return False
        if size is None:
            return self.kind.needs_size or self._reports
        return self._reports and size <= self.limits.max_spool

    @property
    def _own(self) -> bool:
        return self.kind.name == "zip" and not self.options.library

    @property
    def _reports(self) -> bool:
        return self.options.on_error == "report"

    def _meter(self) -> Meter:
        limits, at_end = self.limits, self.kind.at_end
        most = min(limits.max_bytes, limits.max_spool) if at_end else limits.max_bytes
        return Meter(limits, most, self.clock)

    @contextmanager
    def _writer(self) -> Iterator[Writer]:
        options = self.options
        if self._own:
            with closing(Zip(options.level(self.kind), self.workers, options.passphrase)) as zipped:
                yield zipped
            return
        with closing(Spool()) as sink, open_archive(self.kind, self._asked(), sink) as archive:
            yield archive

    def _asked(self) -> str:
        """Return what the writer of libarchive is asked for.

        A zip that cannot reach 4 GiB is told to do without zip64, which libarchive would else use
        for each entry of unknown size, and which Java's ZipInputStream then refuses.
        """
        kind, limits = self.kind, self.limits
        asked = "" if kind.compressor else kind.levels[self.options.level(kind)]
        worst = limits.max_bytes + limits.max_bytes // 1000 + 4096 * limits.max_entries
        compact = kind.name == "zip" and worst < _ZIP64_FROM
        return f"{asked},zip:!zip64" if compact else asked


def _compressed(kind: Format, options: Options, stream: Stream) -> Stream:
    """Compress a stream in a native archive of its own.

    Inside the tar's, an abandoned build would either leak the compressor or first fill its entry
    up to the declared size (see ``Archive``). It is opened once there is something to write: lz4
    that is closed before that ends the process.
    """
    asked = kind.levels[options.level(kind)]
    with closing(stream), closing(Spool()) as sink:
        first = next(stream)
        with open_archive(FILTER, asked, sink, kind.compressor) as archive:
            archive.begin(Entry("stream"), None)
            for block in chain((first,), stream):
                archive.write([block])
                yield from archive.drain()
            archive.end()
            archive.finish()
            yield from archive.rest()


def _put_aside(content: Iterable[Block], spool: Spool, meter: Meter, limit: int) -> int:
    """Read content of unknown size to its end; return how much it is."""
    for block in content:
        spool.write(b"".join(block))
        if spool.size > limit:
            meter.fault = TooLargeProblem(f"An entry without a size has more than {limit} bytes.")
            raise meter.fault
    return spool.size
