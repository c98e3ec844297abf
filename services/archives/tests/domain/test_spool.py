"""First in, first out, whether in memory or on disk."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware_archives.domain.spool import BLOCK, MEMORY, Spool


@given(rounds=st.lists(st.lists(st.integers(0, 700_000), max_size=4), max_size=3))
@settings(max_examples=30, deadline=None)
def test_what_was_written_comes_out_once_and_in_order(rounds: list[list[int]]) -> None:
    spool = Spool()
    for lengths in rounds:
        blocks = [bytes([index]) * length for index, length in enumerate(lengths)]
        for block in blocks:
            spool.write(block)
        assert spool.size == sum(lengths)
        assert b"".join(spool.drain()) == b"".join(blocks)
        assert spool.size == 0


def test_disk_is_used_only_beyond_what_memory_may_hold() -> None:
    files: list[io.BytesIO] = []

    def create() -> io.BytesIO:
        files.append(io.BytesIO())
        return files[-1]

    spool = Spool(create)
    for _ in range(MEMORY // BLOCK):
        spool.write(bytes(BLOCK))
    assert files == []
    spool.write(b"x")
    assert files[0].getvalue() == b"x"
    spool.close()
    assert files[0].closed


def test_spool_left_half_read_gives_its_file_back() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    spool = Spool()
    spool.write(bytes(MEMORY + 1))
    drained = spool.drain()
    next(drained)
    spool.close()
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_full_disk_is_an_error() -> None:
    def full() -> io.BytesIO:
        raise OSError(errno.ENOSPC, "No space left on device")

    spool = Spool(full)
    with pytest.raises(OSError, match="No space"):
        spool.write(bytes(MEMORY + 1))
