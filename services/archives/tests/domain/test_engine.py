"""Right bytes or an error, in every format; and nothing left behind."""

from __future__ import annotations

import ctypes
import gc
import io
import os
import random
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.problems import InvalidProblem, TooLargeProblem
from glassware_archives.domain import FORMATS, Entry, Limits, Options, Workers, build
from glassware_archives.domain.engine import ALONE

LIMITS = Limits()
KIB = 1024
MIB = 1024 * KIB
NOISE = random.Random(7).randbytes(2 * MIB)

TEXT = b" ".join(b"%x" % number for number in range(150_000))[:600_000]
WORKERS = [Workers(count) for count in (1, 2, 5)]

# An mtree has no content; it has a test of its own.
HOLDING = [format for format in FORMATS if format != "mtree"]
every_format = pytest.mark.parametrize("format", HOLDING)
every_steady_format = pytest.mark.parametrize(
    "format", [kind.name for kind in FORMATS.values() if not kind.clocked]
)


def fit(format: str, name: str) -> str:
    """Return the name for a format that may not have folders, or not the name."""
    kind = FORMATS[format]
    return kind.readable(name.replace("/", "-")) if kind.flat else name


class Source:
    """Chunks that come one by one; it knows what was taken, and whether it was closed."""

    def __init__(self, chunks: Iterable[object], dies: bool = False) -> None:
        self.chunks, self.dies = iter(chunks), dies
        self.taken, self.closed = 0, False

    def __iter__(self) -> Iterator[object]:
        for chunk in self.chunks:
            self.taken += 1
            yield chunk
        if self.dies:
            raise ConnectionError("gone")

    def close(self) -> None:
        self.closed = True


def cut(data: bytes, length: int = 10_000) -> list[bytes]:
    return [data[start : start + length] for start in range(0, len(data), length)]


def archive(
    format: str, *entries: Entry, limits: Limits = LIMITS, workers: Workers = ALONE, **options
) -> bytes:
    blocks = list(build(format, entries, limits, Options(**options), workers))
    assert all(0 < len(block) <= 512 * KIB for block in blocks)
    return b"".join(blocks)


def fails(format: str, *entries: Entry, limits: Limits = LIMITS) -> tuple[bytes, Exception]:
    """Build what must fail; return what came out before, and the error."""
    stream, blocks = build(format, entries, limits), []
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at it
        blocks.extend(stream)
    return b"".join(blocks), caught.value


RIGHT = {
    "exact": (cut(NOISE[:30_000]), 30_000),
    "exact multiple of a block": (cut(NOISE[: 192 * KIB], 64 * KIB), 192 * KIB),
    "empty, declared": ([], 0),
    "empty, of unknown size": ([], None),
    "of unknown size, small": (cut(NOISE[:30_000]), None),
    "of unknown size, more than the spool keeps in memory": (cut(NOISE[: MIB + 300_000]), None),
    "one chunk of many blocks": ([NOISE[:MIB]], MIB),
    "empty chunks in between": ([b"", b"ab", b"", b"", b"cd", b""], 4),
    "bytearray": ([bytearray(b"ab"), bytearray(b"cd")], 4),
    "memoryview": ([memoryview(b"ab"), memoryview(b"0c0d")[1::2]], None),
    "memoryview of wider items": ([memoryview(bytes(8)).cast("I")], 8),
}


@every_format
@pytest.mark.parametrize("case", RIGHT)
def test_content_comes_out_as_it_went_in(format: str, case: str, unpack) -> None:
    chunks, size = RIGHT[case]
    source = Source(chunks)
    data = archive(format, Entry(fit(format, "a/b.bin"), source, size), Entry("after", [b"x"], 1))
    expected = b"".join(bytes(chunk) for chunk in chunks)
    assert unpack(format, data) == {fit(format, "a/b.bin"): expected, "after": b"x"}
    assert source.closed


WRONG: dict[str, tuple[list[object], int | None, type[Exception]]] = {
    "short": ([b"x" * 10], 20, InvalidProblem),
    "short by all": ([], 1, InvalidProblem),
    "long": ([b"x" * 10, b"x" * 11], 20, InvalidProblem),
    "long by all": ([b"x"], 0, InvalidProblem),
    "negative": ([b"x"], -1, InvalidProblem),
    "negative, for nothing": ([], -1, InvalidProblem),
    "dying": ([b"x" * 10], 20, ConnectionError),
    "dying, of unknown size": ([b"x"], None, ConnectionError),
    "dying at once": ([], None, ConnectionError),
    "dying where it should end": ([b"x"], 1, ConnectionError),
    "text": (["text"], 4, TypeError),
    "nothing": ([b"ab", None], None, TypeError),
    "a list of numbers": ([[1, 2]], None, TypeError),
}


@every_format
@pytest.mark.parametrize("case", WRONG)
def test_wrong_content_is_an_error_that_names_the_entry(format: str, case: str) -> None:
    chunks, size, kind = WRONG[case]
    source = Source(chunks, dies=kind is ConnectionError)
    sent, raised = fails(format, Entry("good", [b"y"], 1), Entry("bad", source, size))
    assert type(raised) is kind
    assert "entry 1: 'bad'" in raised.__notes__
    assert sent == b"", "a small archive fails before its first byte"
    assert source.closed
    if kind is InvalidProblem:
        assert list(raised.errors) == ["entries.1.size"]


@every_format
@pytest.mark.parametrize("after", [0, 1, 300_000])
def test_what_was_sent_before_a_failure_has_no_end(format: str, after: int) -> None:
    first, second = NOISE[:500_000], NOISE[500_000:1_000_000]
    whole = archive(format, Entry("first", [first], 500_000), Entry("second", [second], 500_000))
    dying = Source(cut(second[:after]), dies=True)
    sent, _ = fails(format, Entry("first", [first], 500_000), Entry("second", dying, 500_000))
    assert whole.startswith(sent)
    assert len(sent) < len(whole) - 1024
    assert bool(sent) is not FORMATS[format].at_end


@every_format
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_set_of_entries_makes_the_round_trip(format: str, data, unpack) -> None:
    names = data.draw(st.lists(st.from_regex(r"[a-z0-9ä文]{1,30}", fullmatch=True), unique=True))
    contents = {
        fit(format, f"{index}/{name}"): data.draw(st.binary()) for index, name in enumerate(names)
    }
    entries = [
        Entry(name, [content], data.draw(st.sampled_from([None, len(content)])))
        for name, content in contents.items()
    ]
    assert unpack(format, archive(format, *entries)) == contents


@every_steady_format
@given(
    cuts=st.lists(st.integers(0, 600_000)),
    size=st.sampled_from([None, 600_000]),
    content=st.sampled_from([NOISE[:600_000], TEXT, NOISE[:300_000] + TEXT[:300_000]]),
    workers=st.sampled_from(WORKERS),
    how=st.sampled_from([{}, {"manifest": True}, {"on_error": "report"}]),
)
@settings(max_examples=15, deadline=None)
def test_bytes_depend_neither_on_how_the_sources_arrive_nor_on_the_number_of_workers(
    format: str, cuts, size, content, workers, how
) -> None:
    edges = [0, *sorted(cuts), len(content)]
    pieces = [content[start:end] for start, end in pairwise(edges)]
    whole = archive(format, Entry("a", [content], size), **how)
    assert archive(format, Entry("a", pieces, size), workers=workers, **how) == whole


@pytest.mark.parametrize("limits", [LIMITS, Limits(max_bytes=10 * 1024**3)])
def test_zip_without_a_size_does_without_zip64_when_it_can(limits: Limits, unpack) -> None:
    data = archive("zip", Entry("a", [b"abc"] * 100_000), limits=limits, library=True)
    needed = int.from_bytes(data[4:6], "little")
    assert needed == (20 if limits is LIMITS else 45)  # APPNOTE.TXT 4.4.3.2
    assert unpack("zip", data) == {"a": b"abc" * 100_000}


def test_time_of_an_entry_is_kept_to_the_second() -> None:
    moment = datetime(2024, 2, 29, 12, 30, 58, tzinfo=UTC)
    entry = Entry("a", [b"x"], 1, moment)
    with zipfile.ZipFile(io.BytesIO(archive("zip", entry))) as zipped:
        assert zipped.getinfo("a").date_time == moment.timetuple()[:6]
    with tarfile.open(fileobj=io.BytesIO(archive("tar", entry))) as tarred:
        assert tarred.getmember("a").mtime == moment.timestamp()


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2024, 1, 1),  # noqa: DTZ001 - that it is naive is the point
        datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(2107, 1, 1, tzinfo=UTC),
    ],
)
def test_time_that_a_zip_would_state_wrongly_is_refused(moment: datetime) -> None:
    _, raised = fails("zip", Entry("a", [b"x"], 1, moment))
    assert list(raised.errors) == ["entries.0.modified"]


def test_format_that_is_not_known_is_refused_at_once() -> None:
    with pytest.raises(InvalidProblem) as caught:
        build("rar", [], LIMITS)
    assert "tar.zst" in caught.value.errors["format"][0]


KEPT = {
    "bin": ("directory", 0o750),
    "bin/run": ("file", 0o755),
    "bin/go": ("symlink", 0o777),
    "secret": ("file", 0o600),
}


@pytest.mark.parametrize("format", [name for name in HOLDING if not FORMATS[name].flat])
def test_folders_links_permissions_and_times_are_kept(format: str) -> None:
    import libarchive

    moment = datetime(2024, 2, 29, 12, 30, 58, tzinfo=UTC)
    entries = [
        Entry(name, (), None, moment, kind, mode, "run" if kind == "symlink" else "")
        for name, (kind, mode) in KEPT.items()
    ]
    found = {}
    with libarchive.memory_reader(archive(format, *entries)) as opened:
        for each in opened:
            if (name := each.pathname.rstrip("/")) != ".":
                kind = "directory" if each.isdir else "symlink" if each.issym else "file"
                found[name] = (kind, each.mode & 0o7777)
                assert each.mtime == moment.timestamp()
                assert each.linkpath == ("run" if each.issym else None)
    assert found == KEPT


@every_format
def test_archive_of_nothing_is_one(format: str, unpack) -> None:
    assert unpack(format, archive(format)) == {}


@every_format
def test_name_that_clashes_is_refused_before_its_content_is_read(format: str) -> None:
    source = Source([b"x"])
    _, raised = fails(format, Entry("a", [b"y"], 1), Entry("A", source, 1))
    assert list(raised.errors) == ["entries.1.name"]
    assert (source.taken, source.closed) == (0, True)


def test_entries_over_the_limit_are_refused() -> None:
    entries = [Entry(str(index), [b"x"], 1) for index in range(4)]
    archive("tar", *entries[:3], limits=Limits(max_entries=3))
    _, raised = fails("tar", *entries, limits=Limits(max_entries=3))
    assert isinstance(raised, TooLargeProblem)


@every_format
@pytest.mark.parametrize("declared", [True, False])
def test_bytes_over_the_limit_are_refused_over_all_entries(format: str, declared: bool) -> None:
    def entries(last: int) -> list[Entry]:
        return [Entry(f"{size}", [b"x" * size], size if declared else None) for size in (600, last)]

    limits = Limits(max_bytes=1000)
    archive(format, *entries(400), limits=limits)
    sent, raised = fails(format, *entries(401), limits=limits)
    assert isinstance(raised, TooLargeProblem)
    assert sent == b""


def test_declared_size_over_the_limit_is_refused_before_the_source_is_read() -> None:
    source = Source([b"x"])
    fails("zip", Entry("a", source, 2000), limits=Limits(max_bytes=1000))
    assert source.taken == 0


@every_format
def test_spool_is_bounded(format: str) -> None:
    limits, content = Limits(max_spool=100_000), cut(NOISE[:100_001])
    archive(format, Entry("a", content[:-1]), limits=limits)
    if format == "zip":
        archive(format, Entry("a", content), limits=limits)
    else:
        sent, raised = fails(format, Entry("a", content), limits=limits)
        assert isinstance(raised, TooLargeProblem)
        assert sent == b""


def test_7z_refuses_declared_content_beyond_the_spool() -> None:
    limits = Limits(max_spool=100_000)
    _, raised = fails("7z", Entry("a", [NOISE[:100_001]], 100_001), limits=limits)
    assert isinstance(raised, TooLargeProblem)


@every_format
def test_build_ends_at_its_deadline_even_when_the_source_only_drips(format: str) -> None:
    now = iter(range(1000))
    endless = Source(b"" for _ in iter(int, 1))
    stream = build(format, [Entry("a", endless)], Limits(max_seconds=50), clock=lambda: next(now))
    with pytest.raises(TooLargeProblem, match="50 seconds"):
        list(stream)
    assert endless.closed


@every_format
def test_closing_a_build_closes_the_content_being_read_and_the_entries(format: str) -> None:
    source, closed = Source(cut(NOISE)), []

    def entries() -> Iterator[Entry]:
        try:
            yield Entry("a", source, None if format == "zip" else len(NOISE))
            yield Entry("b", [NOISE[:1]], None)
        finally:
            closed.append(True)

    stream = build(format, entries(), LIMITS)
    next(stream)
    stream.close()
    assert source.closed
    assert closed


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


HEAP = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class Heap(ctypes.Structure):
    """What malloc has given out, mallinfo(3); unlike resident memory, it shows every leak."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in HEAP.split())


def allocated() -> int:
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Heap
    heap = mallinfo()
    return heap.uordblks + heap.hblkhd


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def abandon(format: str, turn: int) -> None:
    """Leave a build in one of the ways it can be left: unpulled, closed, dropped, or by an error.

    Its second entry is unfinished by then: it dies, or is declared larger than it is.
    """
    content = cut(NOISE[: 100_000 * (turn % 4)])
    source = Source(content, dies=turn % 3 > 0)
    size = None if turn % 2 else len(NOISE)
    stream = build(format, [Entry("first", [b"x"]), Entry("second", source, size)], LIMITS)
    try:
        for _ in range(turn % 5):
            next(stream)
    except (ConnectionError, InvalidProblem, StopIteration):
        pass
    if turn % 7:
        stream.close()


@every_format
def test_abandoned_builds_leave_no_memory_and_no_descriptors(format: str) -> None:
    def abandon_some(turns: int) -> None:
        for turn in range(turns):
            abandon(format, turn)
        gc.collect()

    abandon_some(21)
    memory, heap, files = resident(), allocated(), descriptors()
    abandon_some(21)
    assert descriptors() == files
    assert resident() - memory < 16 * MIB
    assert allocated() - heap < 64 * KIB


def test_thousands_of_builds_leave_no_memory() -> None:
    def build_some(turns: int) -> None:
        # Each with a last block of another length, of which ctypes could make a type of its own.
        for length in islice(lengths, turns):
            archive("zip", Entry("a", [NOISE[:length]]), library=True)
        gc.collect()

    lengths = iter(range(1, 3_000))
    build_some(500)
    heap = allocated()
    build_some(1000)
    assert allocated() - heap < 256 * KIB


@every_format
def test_builds_in_two_threads_do_not_mix(format: str, unpack) -> None:
    contents = [
        {f"{thread}-{index}": NOISE[index * 7919 :][: 9000 + thread] for index in range(100)}
        for thread in range(2)
    ]
    results: list[bytes] = [b"", b""]
    start = threading.Barrier(2)

    def work(thread: int) -> None:
        start.wait(timeout=10)
        results[thread] = archive(format, *(Entry(n, cut(c)) for n, c in contents[thread].items()))

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert [unpack(format, result) for result in results] == contents


@every_format
def test_builds_pulled_in_turn_do_not_mix(format: str, unpack) -> None:
    contents = [{"a": NOISE[:700_000]}, {"b": NOISE[700_000:1_500_000]}]
    streams = [
        build(format, [Entry(n, cut(c), len(c)) for n, c in content.items()], LIMITS)
        for content in contents
    ]
    results = [bytearray(), bytearray()]
    for _ in range(100):
        for stream, result in zip(streams, results, strict=True):
            result += next(stream, b"")
    assert [unpack(format, bytes(result)) for result in results] == contents


@pytest.mark.parametrize("format", ["zip", "tar"])
def test_consumer_that_pauses_pauses_the_source(format: str) -> None:
    source = Source(cut(NOISE, 16 * KIB))
    stream = build(format, [Entry("a", source, len(NOISE))], LIMITS)
    sent = 0
    for block in stream:
        sent += len(block)
        assert source.taken * 16 * KIB - sent <= 512 * KIB


def test_entries_without_content_are_not_gathered_either() -> None:
    entries = Source(Entry(str(index), []) for index in range(10_000))
    stream = build("tar", entries, LIMITS)
    next(stream)
    assert entries.taken <= 64 * KIB // 512 + 1
    stream.close()


MEASURE = """
import resource
from glassware_archives.domain import Entry, Limits, build, ensure_environment
ensure_environment()
limits = Limits(max_spool=256 * 2**20)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def run(mib, size):
    content = (bytes(65536) for _ in range(16 * mib))
    return sum(map(len, build({format!r}, [Entry("a", content, size)], limits)))
run(3, 3 * 2**20 if {sized} else None)
before = peak()
run({mib}, {mib} * 2**20 if {sized} else None)
print(peak() - before)
"""


@pytest.mark.parametrize(
    ("format", "sized", "mib"),
    [("zip", False, 256), ("tar", True, 256), ("tar", False, 128), ("7z", False, 48)],
)
def test_memory_does_not_grow_with_the_content(
    format: str, sized: bool, mib: int, python: Callable[..., str]
) -> None:
    grown = int(python(MEASURE.format(format=format, sized=sized, mib=mib))) * KIB
    assert grown < 16 * MIB
