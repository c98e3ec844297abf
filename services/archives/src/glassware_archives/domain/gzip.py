"""A gzip stream (RFC 1952) out of any stream, compressed by all cores."""

from __future__ import annotations

import struct
from collections.abc import Generator
from contextlib import closing

from glassware_archives.domain.deflate import LEVELS, Deflating
from glassware_archives.domain.meter import blocks
from glassware_archives.domain.outlet import Outlet
from glassware_archives.domain.workers import Workers

# Neither a name, nor a time, nor a system: what differs from build to build.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def gzipped(
    content: Generator[bytes, None, None], compression: str, workers: Workers
) -> Generator[bytes, None, None]:
    """Yield the content compressed, in blocks of at most half a MiB; close it at the end."""
    level, out = LEVELS[compression], Outlet()
    out.put(_HEADER)
    with closing(content), closing(workers.line()) as line:
        deflating = Deflating(level, line, out.put)
        for block in blocks(content, level.block):
            deflating.write(block)
            yield from out.drain()
        deflating.end()
        line.finish()
    out.put(struct.pack("<II", deflating.crc, deflating.size & 0xFFFFFFFF))
    yield from out.rest()
