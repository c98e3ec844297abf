"""The pipeline: entries in, the bytes of an archive out, pulled by whoever wants them.

No thread and no pipe: a block goes into libarchive, and what its callback collected is yielded
before the next block is asked for. So a client that pauses pauses the sources too, and memory
stays at a few blocks whatever the size of an archive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager

from glassware.problems import InvalidProblem, TooLargeProblem
from glassware_archives.domain.entries import EARLIEST, Entry, Limits, Meter, blocks
from glassware_archives.domain.formats import FORMATS, Format
from glassware_archives.domain.names import Names
from glassware_archives.domain.native import Archive, open_archive
from glassware_archives.domain.spool import Spool

Stream = Generator[bytes, None, None]

_ZIP64_FROM = 2**32 - 1


def build(
    format: str,
    entries: Iterable[Entry],
    limits: Limits,
    clock: Callable[[], float] = time.monotonic,
) -> Stream:
    """Return the archive as an iterator of blocks of at most 64 KiB.

    The same entries and limits give the same bytes with the same library. What fails, fails
    while the iterator is pulled. The first block comes when 64 KiB are ready, or at the end, so
    pulling it finds what is wrong with small archives and at the beginning of large ones. The
    bytes that came before a later failure have no valid end, and must not be given one: cut the
    connection. Closing the iterator closes the content being read, and frees memory and files.

    Raises InvalidProblem for the format, a name, or a size that does not hold; TooLargeProblem
    for a limit; and whatever an entry's content raises, with a note that names the entry.
    """
    kind = FORMATS.get(format)
    if kind is None:
        raise InvalidProblem(errors={"format": [f"Must be one of {', '.join(FORMATS)}."]})
    archive = _archive(kind, entries, limits, clock)
    return archive if kind.compressor is None else _compressed(kind, archive)


def _archive(
    kind: Format, entries: Iterable[Entry], limits: Limits, clock: Callable[[], float]
) -> Stream:
    meter, names = Meter(limits, _max_bytes(kind, limits), clock), Names()
    options = "" if kind.compressor else _options(kind, limits)
    with closing(Spool()) as sink, open_archive(kind.writer, None, options, sink) as archive:
        for index, entry in enumerate(entries):
            with _reading(index, entry), closing(Spool()) as spool:
                name, size = names.add(index, entry.name), entry.size
                meter.admit(index, entry)
                content = blocks(meter.read(index, entry))
                if size is None and kind.needs_size:
                    size = _put_aside(content, spool, limits.max_spool)
                    content = spool.drain()
                archive.begin(name, size, entry.modified)
                yield from _pump(content, archive, sink)
        archive.finish()
        yield from sink.drain()


def _compressed(kind: Format, stream: Stream) -> Stream:
    """Compress a stream in a native archive of its own.

    Inside the tar's, an abandoned build would either leak the compressor or first fill its entry
    up to the declared size (see ``Archive``).
    """
    with (
        closing(stream),
        closing(Spool()) as sink,
        open_archive("raw", kind.compressor, kind.options, sink) as archive,
    ):
        archive.begin("stream", None, EARLIEST)
        yield from _pump(stream, archive, sink)
        archive.finish()
        yield from sink.drain()


def _pump(content: Iterable[bytes], archive: Archive, sink: Spool) -> Iterator[bytes]:
    """Write the content of the entry that has begun; yield what the archive makes of it."""
    for block in content:
        archive.write(block)
        yield from sink.drain()
    archive.end()
    yield from sink.drain()


def _put_aside(content: Iterator[bytes], spool: Spool, limit: int) -> int:
    """Read content of unknown size to its end; return how much it is."""
    for block in content:
        spool.write(block)
        if spool.size > limit:
            raise TooLargeProblem(f"An entry without a size has more than {limit} bytes.")
    return spool.size


@contextmanager
def _reading(index: int, entry: Entry) -> Iterator[None]:
    """Close the content in any case, and say which entry it was that failed."""
    try:
        yield
    except Exception as error:
        error.add_note(f"entry {index}: {entry.name!r}")
        raise
    finally:
        if close := getattr(entry.content, "close", None):
            close()


def _max_bytes(kind: Format, limits: Limits) -> int:
    return min(limits.max_bytes, limits.max_spool) if kind.at_end else limits.max_bytes


def _options(kind: Format, limits: Limits) -> str:
    """Return the writer's options.

    A zip that cannot reach 4 GiB is told to do without zip64, which libarchive would else use for
    each entry of unknown size, and which Java's ZipInputStream then refuses.
    """
    worst = limits.max_bytes + limits.max_bytes // 1000 + 4096 * limits.max_entries
    compact = kind.name == "zip" and worst < _ZIP64_FROM
    return f"{kind.options},zip:!zip64" if compact else kind.options
