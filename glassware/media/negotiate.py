"""Choosing a media type by the Accept header (RFC 9110 section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

TOKEN = r"[!#$%&'*+.^_`|~0-9a-z-]++"  # noqa: S105
PARAMETER = rf'({TOKEN})=({TOKEN}|"[^"]*")'
# No two ways to read a text, so that a hostile header takes no longer than another.
RANGE = re.compile(rf"\s*+({TOKEN})/({TOKEN})\s*+((?:;\s*+(?:{PARAMETER})?+\s*+)*+)")
WEIGHT = re.compile(r"0(\.[0-9]*)?|1(\.0*)?")
#: A comma inside of quotes does not separate.
PART = re.compile(r'(?:[^,"]|"[^"]*"?)++')


class Range(NamedTuple):
    """A range of media types that the client accepts, with its weight from 0 to 1."""

    type: str
    subtype: str
    parameters: frozenset[tuple[str, str]]
    weight: float

    @property
    def precision(self) -> tuple[bool, bool, int]:
        return self.type != "*", self.subtype != "*", len(self.parameters)

    def matches(self, offer: Range) -> bool:
        return (
            self.type in ("*", offer.type)
            and self.subtype in ("*", offer.subtype)
            and self.parameters <= offer.parameters
        )


def choose(accept: str | None, offered: Sequence[str]) -> str | None:
    """Return the media type to answer in; None if the client accepts none of those offered.

    The most precise range that matches a type gives its weight. The highest weight wins; among
    equals the type asked for more precisely, then the server's order. Malformed parts of the
    header are ignored; one that has nothing else is as good as none.
    """
    return remembered(accept or "", tuple(offered))


# A client's header hardly ever changes, and a server's header limit bounds its size.
@lru_cache(maxsize=256)
def remembered(accept: str, offered: tuple[str, ...]) -> str | None:
    ranges = list(read(accept)) or list(read("*/*"))
    best = max(offered, key=partial(rate, ranges), default="")
    return best if best and rate(ranges, best)[0] else None


def rate(ranges: list[Range], offer: str) -> tuple[float, tuple[bool, bool, int]]:
    """Return the weight of a media type and how precisely it is asked for."""
    (offered,) = read(offer)
    matching = [found for found in ranges if found.matches(offered)]
    if not matching:
        return 0, (False, False, 0)
    best = max(matching, key=lambda found: (found.precision, found.weight))
    return best.weight, best.precision


def read(header: str) -> Iterator[Range]:
    """Yield the well-formed ranges of an Accept header."""
    for part in PART.findall(header.lower()):
        match = RANGE.fullmatch(part)
        if match is None or (match[1] == "*" and match[2] != "*"):
            continue
        values = {name: value.strip('"') for name, value in re.findall(PARAMETER, match[3])}
        weight = values.pop("q", "1")
        # Whatever is offered is in UTF-8.
        if values.get("charset") == "utf-8":
            del values["charset"]
        if WEIGHT.fullmatch(weight):
            yield Range(match[1], match[2], frozenset(values.items()), float(weight))
