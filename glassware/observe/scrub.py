"""Keeping secrets out of what is logged."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Mapping, Set
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from glassware.config.masks import MASK

#: A registered value shorter than this would blot out ordinary text.
MIN_LENGTH = 4

#: A key that contains one of these, in whatever spelling, has a secret for its value.
_WORDS = (
    *("password", "passwd", "passphrase", "secret", "token", "api_key", "access_key", "private"),
    *("authorization", "cookie", "credential", "assertion", "code_verifier", "session_id"),
)
_SENSITIVE = tuple(word.replace("_", "") for word in _WORDS)
_PUNCTUATION = re.compile(r"[^a-z0-9]+")

# No pattern begins with a word boundary: in a repr, an "n" is before the first letter of a line.
# Every repetition that may fail after it began is bounded: what is logged is partly the caller's
# choice, and matching must stay linear in its length.
_KEY = "(?:" + "|".join(word.replace("_", "[-_ ]?") for word in _WORDS) + r")[\w.-]{0,40}"
_STRING = r"""(?:"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?)"""


def _bracketed(levels: int) -> str:
    # A secret may be inside of what its key holds; a regex counts brackets only so deep.
    inner, other = (_bracketed(levels - 1), r"\[{(") if levels else ("(?!)", "")
    return rf"""[\[{{(](?:{_STRING}|{inner}|[^"'\]}}){other}])*[\]}})]?"""


_QUOTED = rf"[bru]?\\*{_STRING}"
_VALUE = rf"""(?:{_QUOTED}|[\w.]{{0,40}}{_bracketed(3)}|[^\s&;,)\]}}"']+)"""


def _pattern(regex: str, flags: re.RegexFlag = re.I) -> re.Pattern[str]:
    return re.compile(regex, flags | re.S)


#: What to look for in text, and what to put in its place.
_PATTERNS = (
    (
        _pattern(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)"
        ),
        MASK,
    ),
    # A header as it is sent: the rest of the line.
    (
        _pattern(r"((?:authorization|cookie|x-[\w-]{0,40}(?:key|token))\s{0,8}:[ \t]*)[^\r\n]+"),
        rf"\1{MASK}",
    ),
    # JSON, also inside of JSON, and the repr of a dictionary.
    (_pattern(rf"""({_KEY}\\*["']\s{{0,8}}:\s{{0,8}}){_VALUE}"""), rf"\1{MASK}"),
    # The repr of a pair, as in a list of headers.
    (_pattern(rf"""({_KEY}["'],\s{{0,8}}){_QUOTED}(?=\))"""), rf"\1{MASK}"),
    # A form, a DSN, the repr of a dataclass.
    (_pattern(rf"({_KEY}=){_VALUE}"), rf"\1{MASK}"),
    # Not the parameters of a challenge: Bearer realm="...".
    (_pattern(r"""(Bearer\s{1,8})(?!\w{1,40}=")[\w.~+/=-]+"""), rf"\1{MASK}"),
    (_pattern(r"(Basic\s{1,8})[\w.~+/=-]{8,}"), rf"\1{MASK}"),
    # A JWT, or any other token that begins with a JSON object.
    (_pattern(r"eyJ[\w-]{8,}[\w.-]*", re.NOFLAG), MASK),
    (_pattern(r"""(://[^\s:/?#@"'<>]*:)[^\s/?#"'<>]*@"""), rf"\1{MASK}@"),
)

# Text without any of these matches none of the patterns, which is most of it.
_MARKS = (
    *("=", "'", '"', "@", "authorization", "cookie", "x-"),
    *("eyj", "-----begin ", "bearer", "basic"),
)

_MAX_DEPTH = 40
_CUT = "..."


@lru_cache(1024)
def sensitive(key: str) -> bool:
    """Return True when what the key names is a secret."""
    plain = _PUNCTUATION.sub("", key.lower())
    return any(word in plain for word in _SENSITIVE)


class Scrubber:
    """Masks secrets by key, by pattern, and those it was told of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._registered: frozenset[str] = frozenset()
        self._known: re.Pattern[str] | None = None

    def register(self, *values: str) -> None:
        """Mask these values from now on, also as they look in JSON, in a repr and in a URL.

        Values of fewer than ``MIN_LENGTH`` characters are left out.
        """
        looks = {look for value in values if len(value) >= MIN_LENGTH for look in _looks(value)}
        with self._lock:
            self._registered |= looks
            longest_first = sorted(self._registered, key=len, reverse=True)
            self._known = (
                re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
            )

    def text(self, text: str) -> str:
        """Return the text with the secrets in it masked."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if _suspect(text):
            for pattern, replacement in _PATTERNS:
                text = pattern.sub(replacement, text)
        return text

    def holds_nothing(self, document: Mapping[str, object]) -> bool:
        """Whether no text of the document could hide a secret: all of them are looked at at once.

        True of most log lines. Where it is False, they may hold one or not.
        """
        texts: list[str] = []
        if not _gathered(document, texts, _MAX_DEPTH):
            return False
        text = "\0".join(texts)
        return not _suspect(text) and not any(map(text.__contains__, self._registered))

    def is_plain(self, text: str) -> bool:
        """Whether the text hides no secret for certain, and stands in JSON as it is."""
        if not text.isprintable() or "\\" in text or _suspect(text):
            return False
        return not any(map(text.__contains__, self._registered))

    def value(self, data: object, trail: tuple[int, ...] = ()) -> Any:
        """Return the data as JSON can carry it, the secrets in it masked.

        What JSON has no form for becomes text; what contains itself is cut.
        """
        if data is None or isinstance(data, bool):
            return data
        if isinstance(data, int | float) and _is_json(data):
            shown = self.text(str(data))
            return data if shown == str(data) else shown
        if isinstance(data, Mapping | list | tuple | Set):
            if id(data) in trail or len(trail) >= _MAX_DEPTH:
                return _CUT
            inner = (*trail, id(data))
            if isinstance(data, Mapping):
                return {
                    self.text(as_text(key)): self._member(key, data[key], inner) for key in data
                }
            if isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], str | bytes):
                return [self.value(data[0]), self._member(data[0], data[1], inner)]
            return [self.value(item, inner) for item in data]
        return self.text(as_text(data))

    def _member(self, key: object, value: object, trail: tuple[int, ...]) -> Any:
        if value is None or isinstance(value, bool) or not sensitive(as_text(key)):
            return self.value(value, trail)
        return MASK


def as_text(data: object) -> str:
    """Return the data as text, whatever it is."""
    if isinstance(data, bytes | bytearray):
        return data.decode("utf-8", "backslashreplace")
    try:
        return str.__str__(data) if isinstance(data, str) else str(data)
    except Exception as error:
        return f"<{type(data).__name__}: {type(error).__name__} when shown>"


def _gathered(data: Any, texts: list[str], depth: int) -> bool:
    """Add the texts of plain data; return False for other data and for a key of a secret."""
    kind = type(data)
    if kind is str or (isinstance(data, int | float) and _is_json(data)):
        texts.append(str(data))
        return True
    if kind is dict and depth:
        for key, value in data.items():
            if type(key) is not str or sensitive(key):
                return False
            texts.append(key)
            if type(value) is str:  # as most are: for these, no call
                texts.append(value)
            elif not _gathered(value, texts, depth - 1):
                return False
        return True
    if kind is list and depth:
        return all(_gathered(item, texts, depth - 1) for item in data)
    return data is None


def _suspect(text: str) -> bool:
    # Beyond ASCII there are letters that a pattern takes for others.
    return not text.isascii() or any(map(text.lower().__contains__, _MARKS))


def _is_json(number: float) -> bool:
    # Readers of JSON lose larger integers, and Python refuses to print the largest.
    return abs(number) < 2**63 if isinstance(number, int) else math.isfinite(number)


def _looks(value: str) -> set[str]:
    return {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr(value.encode())[2:-1],
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
    }
