"""An option: one setting, declared once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from glassware.config.networks import Networks

Kind: TypeAlias = type[Any]

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\.[a-z][a-z0-9]*(_[a-z0-9]+)*")
_TRUTH = {"true": True, "yes": True, "on": True, "1": True}
_FALSEHOOD = {"false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class Option:
    """A setting: its name ``section.option``, type, default and help.

    ``type`` is str, int, float (seconds for a duration), bool, Path (made absolute when loaded) or
    list (a tuple of str, written with commas or on lines of its own) or Networks, written so too. A
    default of None means that the option must be given a value. A ``secret`` is a str that comes
    from a file only; one with a default of None is required, and generated in development.

    ``development`` is the default in that mode, where it is another one.

    ``minimum`` and ``maximum`` bound a number or the length of a list, ``choices`` the text or the
    items.
    """

    name: str
    type: Kind
    default: Any
    help: str
    secret: bool = False
    _: KW_ONLY
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    development: Any = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"an option is named section.option in snake case: {self.name!r}")
        if self.type not in _PARSERS or (self.secret and self.type is not str):
            raise ValueError(f"option {self.name} has a type that no layer can give")
        if self.type is list and self.default is not None:
            object.__setattr__(self, "default", tuple(self.default))
        if self.type is Networks and self.default is not None:
            object.__setattr__(self, "default", Networks.of(self.default))
        if self.default is not None and self.parse(render(self.default)) != self.default:
            raise ValueError(f"option {self.name} has a default that no layer can give")

    @property
    def section(self) -> str:
        return self.name.partition(".")[0]

    def parse(self, raw: object) -> Any:
        """Return the typed value of what a layer gives: text, or a Python value of the type.

        Raises ValueError, whose message completes "the value ..." and never quotes it.
        """
        if raw is None:
            raise ValueError("must not be empty")
        value = _PARSERS[self.type](render(raw))
        self._check(value)
        return value

    def _check(self, value: Any) -> None:
        items = value if isinstance(value, tuple) else (value,)
        if self.choices and not set(items) <= set(self.choices):
            raise ValueError(f"must be one of: {', '.join(self.choices)}")
        verb, size = ("have", len(value)) if isinstance(value, tuple) else ("be", value)
        if self.minimum is not None and size < self.minimum:
            raise ValueError(f"must {verb} at least {self.minimum:g}")
        if self.maximum is not None and size > self.maximum:
            raise ValueError(f"must {verb} at most {self.maximum:g}")


def render(value: object) -> str:
    """Return the value as it is written in a file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number")
    return number


def _truth(text: str) -> bool:
    known = _TRUTH | _FALSEHOOD
    word = text.strip().lower()
    if word not in known:
        raise ValueError(f"must be one of: {', '.join(known)}")
    return known[word]


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in re.split(r"[,\n]", text) if item.strip())


def _networks(text: str) -> Networks:
    return Networks.of(_items(text))


def _path(text: str) -> Path:
    if not text.strip():
        raise ValueError("must be a path")
    return Path(text.strip())


_PARSERS: dict[Kind, Callable[[str], Any]] = {
    str: str,
    int: _whole,
    float: _number,
    bool: _truth,
    list: _items,
    Networks: _networks,
    Path: _path,
}
