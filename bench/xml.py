"""The XML writer beside dicttoxml, whose format it writes: the same bytes, how many times faster.

    make bench-xml

Each document is first written by both and compared byte by byte. Then they take turns, and what is
told is the median of the turns. Exits with 1 where the bytes differ or the writer is not FLOOR
times faster with documents of many members. dicttoxml is slow by the member: for one long text the
two are close, which is shown and not promised.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import dicttoxml

from glassware.media import json, xml
from glassware.media.xml.write import singular

FLOOR = 30
TURNS = 7
UUID = "01a1f850-0000-7000-8000-{:012x}"
LONG = "one text of 100 kB"
TASK = {
    "url": f"http://127.0.0.1:7002/tasks/{UUID}",
    "title": "Water the plants & feed the <cat>, no. {}",
    "person": f"http://127.0.0.1:7001/users/{UUID}",
    "due_to": None,
    "done": False,
    "created_at": "2026-11-20T09:36:00.467121Z",
    "updated_at": "2026-11-20T09:36:00.467121Z",
}


def page(rows: int) -> dict[str, Any]:
    """Return a page of tasks, as the service answers it."""
    items = [
        {
            name: value.format(row) if isinstance(value, str) else value
            for name, value in TASK.items()
        }
        for row in range(rows)
    ]
    return {"items": items, "next": "http://127.0.0.1:7002/tasks?cursor=abc&limit=50"}


def tree(depth: int) -> dict[str, Any]:
    """Return parts in parts, two in each."""
    parts = [tree(depth - 1), tree(depth - 1)] if depth else []
    return {"name": "part", "weight": 1.5, "parts": parts}


DOCUMENTS: Mapping[str, Any] = {
    "one task": page(1)["items"][0],
    "a page of 50 tasks": page(50),
    "1,000 tasks": page(1000),
    "1,000 numbers": {"rows": list(range(1000))},
    "a tree of 255 parts": tree(7),
    LONG: {"text": "Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich. " * 1700},
}


def write_by_dicttoxml(document: object) -> bytes:
    """Write what the writer writes, by the library that is its reference."""
    written: bytes = dicttoxml.dicttoxml(
        document, custom_root="response", attr_type=False, item_func=singular
    )
    return written


def seconds(write: Callable[[], object]) -> float:
    """Return how long one call takes: the mean of as many as fill 20 ms."""
    calls, took = 1, 0.0
    while took < 0.02:
        began = perf_counter()
        for _ in range(calls):
            write()
        took = perf_counter() - began
        if took < 0.02:
            calls *= 4
    return took / calls


def main() -> int:
    """Compare, measure, and print a line for each document."""
    dicttoxml.LOG.setLevel(logging.CRITICAL)  # it logs every value, which would cost it more still
    row = "{:<22} {:>10} {:>12} {:>12} {:>12} {:>8}".format
    print(row("document", "bytes", "JSON ms", "XML ms", "dicttoxml ms", "times"))
    worst = float("inf")
    for name, document in DOCUMENTS.items():
        written = xml.dumps(document)
        if written != write_by_dicttoxml(document):
            print(f"{name}: the bytes differ from dicttoxml's")
            return 1
        writers = [partial(each, document) for each in (json.dumps, xml.dumps, write_by_dicttoxml)]
        turns = [[seconds(write) * 1000 for write in writers] for _ in range(TURNS)]
        in_json, ours, its = (median(column) for column in zip(*turns, strict=True))
        print(
            row(
                name,
                f"{len(written):,}",
                *(f"{each:.3f}" for each in (in_json, ours, its)),
                f"{its / ours:.0f}",
            )
        )
        worst = min(worst, its / ours) if name != LONG else worst
    print(f"\nAt least {worst:.0f} times faster; {FLOOR} is promised.")
    return int(worst < FLOOR)


if __name__ == "__main__":
    sys.exit(main())
