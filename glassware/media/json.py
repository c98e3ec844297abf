"""JSON (RFC 8259), strictly: what is read is unambiguous and can be written as XML too."""

from __future__ import annotations

import json as stdlib
import re
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from glassware.media.text import (
    FORBIDDEN,
    MAX_DEPTH,
    REPLACEMENT,
    TOO_DEEP,
    decode,
    malformed,
    place,
)
from glassware.problems import MalformedBodyProblem

INFINITY = float("inf")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<real>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
BRACKET = re.compile(r"[][{}]")

#: A path from the inside out: ((None, "items"), 0) is ``items.0``.
Path = tuple[Any, Any] | None


class Repeated:
    """Stands for an object that has a name twice, until the check says where it is."""

    def __init__(self, name: str) -> None:
        self.name = name


def loads(body: bytes) -> object:
    """Read a JSON text.

    It must be UTF-8 without a byte order mark, at most 32 levels deep, without a name twice in an
    object, without NaN, infinities and numbers that overflow to one, without integers beyond
    Python's limit of digits, and without characters that XML 1.0 cannot carry.
    Raises MalformedBodyProblem, which says what is wrong and where.
    """
    text = decode(body)
    if text.startswith("\ufeff"):
        raise malformed(1, 1, "JSON has no byte order mark; send it without.")
    check_depth(text)
    try:
        value: object = QUICK.decode(text)
    except ValueError:
        return loads_slowly(text)
    if ("\\" in text or not text.isascii()) and any(mark in text for mark in MARKS):
        check(value, None)
    return value


def loads_slowly(text: str) -> object:
    """Read as ``loads`` does, looking at each value so as to say which one is refused."""
    try:
        value: object = CAREFUL.decode(text)
    except stdlib.JSONDecodeError as error:
        fault = f"{error.msg}; send well-formed JSON."
        raise malformed(error.lineno, error.colno, fault) from None
    check(value, None)
    return value


def dumps(value: object) -> bytes:
    """Write compact UTF-8; datetimes must be aware and become RFC 3339 in UTC.

    A lone surrogate, which UTF-8 does not have, is replaced by U+FFFD.
    Raises ValueError for NaN, infinities and naive datetimes, TypeError for what JSON has no form
    for.
    """
    text = ENCODER.encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", REPLACEMENT, text).encode()


def plain(value: object) -> str:
    """Return the text that stands for a datetime, date or UUID. Raises as ``dumps`` does."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a datetime without an offset is no moment; make it aware")
        return f"{value.astimezone(UTC).isoformat()[:-6]}Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON and XML; convert it first")


def number(text: str) -> int | float | str:
    """Return the number that JSON reads in the text; the text itself where it reads none."""
    match = NUMBER.fullmatch(text)
    if match is None:
        return text
    value = float(text) if match["real"] else integer(text)
    return text if value in (INFINITY, -INFINITY) else value


def integer(digits: str) -> int | float:
    """Return an int, or infinity beyond Python's limit of digits."""
    try:
        return int(digits)
    except ValueError:
        return INFINITY


def finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError("not a finite number")
    return value


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice")
    return members


def unique_or_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Repeated:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return Repeated(name)
        seen.add(name)
    return dict(pairs)


def check_depth(text: str) -> None:
    """Raise MalformedBodyProblem for a nesting that a recursive parser had better not see."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    depth = 0
    for bracket in BRACKET.finditer(outside):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            line, _ = place(outside[: bracket.start()])
            raise MalformedBodyProblem(f"Line {line}: {TOO_DEEP}")


def check(value: object, path: Path) -> None:
    """Raise MalformedBodyProblem for the first value that is refused, naming its path."""
    if isinstance(value, str):
        check_text(value, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            check_text(name, (path, name))
            check(item, (path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check(item, (path, index))
    elif isinstance(value, Repeated):
        raise refused(path, f"the name {value.name[:60]!r} occurs twice; send it once.")
    elif isinstance(value, float) and not -INFINITY < value < INFINITY:
        raise refused(path, "NaN, infinities and numbers out of range are not read.")


def check_text(text: str, path: Path) -> None:
    if match := FORBIDDEN.search(text):
        raise refused(path, f"the character U+{ord(match[0]):04X} is not text; leave it out.")


def refused(path: Path, fault: str) -> MalformedBodyProblem:
    steps: list[str] = []
    while path is not None:
        path, step = path
        # A name is quoted without what the reader of the problem would refuse.
        steps.insert(0, FORBIDDEN.sub(REPLACEMENT, str(step)[:60]))
    return MalformedBodyProblem(f"At {'.'.join(steps) or 'the root'}: {fault}")


#: Refuses without saying where.
QUICK = stdlib.JSONDecoder(object_pairs_hook=unique, parse_float=finite, parse_constant=finite)
#: Puts into the place of what is refused something for ``check`` to find.
CAREFUL = stdlib.JSONDecoder(object_pairs_hook=unique_or_repeated, parse_int=integer)
#: Without one of these a UTF-8 text that the decoder takes has no character that is refused.
MARKS = ("\\u", "\\b", "\\f", "\ufffe", "\uffff")
ENCODER = stdlib.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain
)
