"""One archive by one program: prints what it took. Started anew for each, by bench.archives."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

CHUNK, SMALL = 64 * 1024, 4096
WHEN = datetime(2024, 1, 1)  # noqa: DTZ001 - zipstream-ng and stream-zip take no other
#: The programs, which read files of a memory disk; "{in}" is the folder with what is packed.
PROGRAMS = {
    ("zip", "deflate"): "cd {in} && zip -q -r -6 - .",
    ("zip", "store"): "cd {in} && zip -q -r -0 - .",
    ("bsdtar", "deflate"): "bsdtar -cf - --format zip -C {in} .",
    ("bsdtar", "store"): "bsdtar -cf - --format zip --options zip:compression=store -C {in} .",
    ("bsdtar", "tgz"): "bsdtar -czf - -C {in} .",
    ("bsdtar", "tzst"): "bsdtar -cf - --zstd -C {in} .",
    ("tar | pigz", "tgz"): "tar -cf - -C {in} . | pigz -6",
}
FORMATS = {"deflate": "zip", "store": "zip", "tgz": "tar.gz", "tzst": "tar.zst"}

Contents = list[tuple[str, list[bytes]]]


def contents(data: Path, size: str, times: int) -> Contents:
    """Return the names and the chunks of what is packed; all of it is in memory."""
    whole = data.read_bytes()
    step = CHUNK if size == "big" else SMALL
    pieces = [whole[start : start + step] for start in range(0, len(whole), step)]
    if size == "big":
        return [("big", pieces * times)]
    return [(f"{number // 1000}/{number}.txt", [piece]) for number, piece in enumerate(pieces)]


def ours(kind: str, entries: Contents, compression: str, workers: str) -> Iterable[bytes]:
    from glassware_archives.domain import Entry, Limits, Options, Workers, build, ensure_environment

    ensure_environment()
    limits = Limits(max_entries=10**7, max_bytes=2**50, max_seconds=9999)
    chosen = {"deflate": compression, "store": "store", "tgz": compression, "tzst": "fast"}[kind]
    made = (Entry(name, chunks, sum(map(len, chunks))) for name, chunks in entries)
    return build(FORMATS[kind], made, limits, Options(chosen), Workers(int(workers)))


def alone(library: str, entries: Contents) -> int:
    """Compress what our zip compresses at once, with its dictionaries, and do nothing else."""
    import zlib

    from glassware_archives.domain.deflate import LEVELS, Level, deflated, piece
    from glassware_archives.domain.meter import blocks

    level = {
        "isa-l alone": LEVELS["fast"],
        "zlib-ng alone": LEVELS["small"],
        "zlib alone": Level("zlib", zlib, 6, 8, 1 << 62),
    }[library]
    if len(entries) > 1:
        return sum(len(deflated(level, chunks[0])[1]) for _, chunks in entries)
    if library == "zlib alone":
        one = zlib.compressobj(6, zlib.DEFLATED, -15)
        return sum(len(one.compress(chunk)) for chunk in entries[0][1]) + len(one.flush())
    made, before = 0, b""
    for block in map(b"".join, blocks(entries[0][1], level.block)):
        made += len(piece(level, block, before))
        before = block[-32768:]
    return made


def libarchive(kind: str, entries: Contents) -> int:
    from libarchive import custom_writer

    count = [0]

    def write(block: bytes) -> int:
        count[0] += len(block)
        return len(block)

    format, filter, options = {
        "deflate": ("zip", None, "compression-level=6"),
        "store": ("zip", None, "compression=store"),
        "tgz": ("pax_restricted", "gzip", "compression-level=6"),
        "tzst": ("pax_restricted", "zstd", "compression-level=3"),
    }[kind]
    with custom_writer(write, format, filter, options=options) as archive:
        for name, chunks in entries:
            archive.add_file_from_memory(name, sum(map(len, chunks)), chunks)
    return count[0]


def zipstream(kind: str, entries: Contents) -> Iterable[bytes]:
    from zipstream import ZIP_DEFLATED, ZIP_STORED, ZipStream

    made = ZipStream(compress_type=ZIP_DEFLATED if kind == "deflate" else ZIP_STORED)
    for name, chunks in entries:
        made.add(iter(chunks), name)
    return made


def stream_zip(kind: str, entries: Contents) -> Iterable[bytes]:
    import zlib

    import stream_zip

    def members() -> Iterator[Any]:
        for name, chunks in entries:
            size, crc = sum(map(len, chunks)), 0
            if kind == "deflate":
                method = stream_zip.ZIP_AUTO(size, level=6)
            else:
                for chunk in chunks:
                    crc = zlib.crc32(chunk, crc)
                method = stream_zip.NO_COMPRESSION_64(size, crc)
            yield name, WHEN, 0o644, method, chunks

    return stream_zip.stream_zip(members(), get_compressobj=lambda: zlib.compressobj(6, 8, -15))


def program(command: str) -> Iterator[bytes]:
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE) as running:
        assert running.stdout
        while block := running.stdout.read(1 << 20):
            yield block
    if running.returncode:
        raise SystemExit(f"{command}: {running.returncode}")


MODULES = {
    "ours": "glassware_archives.domain",
    "libarchive-c": "libarchive",
    "zipstream-ng": "zipstream",
    "stream-zip": "stream_zip",
    "isa-l": "glassware_archives.domain",
    "zlib-ng": "glassware_archives.domain",
    "zlib": "glassware_archives.domain",
}
LIBRARIES: dict[str, Callable[..., Iterable[bytes] | int]] = {
    "libarchive-c": libarchive,
    "zipstream-ng": zipstream,
    "stream-zip": stream_zip,
}


def main(peer: str, kind: str, size: str, times: str, folder: str) -> None:
    """Make the archive; print seconds, processor time, bytes in and out, and peak memory."""
    if (peer, kind) in PROGRAMS:
        command = PROGRAMS[peer, kind].format(**{"in": f"{folder}/{size}"})
        given = sum(path.stat().st_size for path in Path(folder, size).rglob("*") if path.is_file())
        entries: Contents = []
        before, began = processor(), time.perf_counter()
        out: Iterable[bytes] | int = program(command)
    else:
        import_module(MODULES[peer.split()[0]])  # the time that takes is nobody's
        entries = contents(Path(folder, "data"), size, int(times))
        given = sum(len(chunk) for _, chunks in entries for chunk in chunks)
        before, began = processor(), time.perf_counter()
        if peer.startswith("ours"):
            out = ours(kind, entries, *peer.split()[1:])
        elif peer.endswith("alone"):
            out = alone(peer, entries)
        else:
            out = LIBRARIES[peer](kind, entries)
    made = out if isinstance(out, int) else sum(map(len, out))
    facts = {
        "seconds": time.perf_counter() - began,
        "cpu": processor() - before,
        "in": given,
        "out": made,
        "rss": peak((peer, kind) in PROGRAMS),
        "entries": len(entries),
    }
    print(json.dumps(facts))


def peak(of_program: bool) -> int:
    """Return the peak memory in KiB; rusage's own would be that of whoever started this."""
    if of_program:
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def processor() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


if __name__ == "__main__":
    main(*sys.argv[1:])
