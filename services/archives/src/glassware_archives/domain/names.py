"""Entry names that every system can hold, and that stay where they are unpacked.

A name that could leave its folder, vanish, or overwrite another on some system is refused with a
message, or rewritten where the caller asked for that. Else the only change made is Unicode
normalisation to NFC, so that "é" typed on a Mac and on a PC is one name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import PurePosixPath

from glassware.problems import InvalidProblem
from glassware_archives.domain.entries import Entry, Kind
from glassware_archives.domain.formats import Format

MAX_PART, MAX_NAME, MAX_DEPTH = 255, 1024, 32

# Control characters, line separators, direction overrides ("cod\u202egpj.exe"), lone surrogates.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# A drive letter and an alternate data stream both need the colon.
_PUNCTUATION = re.compile(r'[\\:*?"<>|]')
# unzip cuts it off, as VMS numbers the versions of a file.
_VERSION = re.compile(r";[0-9]*\Z")
_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE | re.DOTALL
)

_DRIVE = re.compile(r"\A[A-Za-z]:")
# What needs no second look, as most names do not: short parts of letters and digits, no device.
_PART = (
    r"(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9]))[A-Za-z0-9_-](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_-])?"
)
PLAIN = re.compile(f"(?:{_PART}/){{0,8}}{_PART}")
_PLAIN_PART = re.compile(_PART)
# With a plain part behind it, the whole is within all bounds.
_SHORT = 200

_NUMBER = re.compile(r" \([0-9]+\)(?=(\.[^.]*)?\Z)")
_RESERVED = -1
#: Folders by their parts; an entry by its index.
Tree = dict[str, "Tree | int"]


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


_RULES: tuple[tuple[Callable[[str], object], str], ...] = (
    (lambda part: not part, "Must not be empty, begin or end with '/', or contain '//'."),
    (lambda part: part.endswith((".", " ")), "No part may end in a dot or a space ('..' neither)."),
    (lambda part: _length(part) > MAX_PART, f"No part may exceed {MAX_PART} bytes of UTF-8."),
    (_INVISIBLE.search, "Must not contain control or direction characters."),
    (_PUNCTUATION.search, 'Must not contain any of \\ : * ? " < > |'),
    (_VERSION.search, "No part may end in ';', with or without digits after it."),
    (_DEVICE.fullmatch, "No part may be a device name of Windows, such as NUL or COM1."),
)


def is_plain(name: str) -> bool:
    return PLAIN.fullmatch(name) is not None


def faults_of(name: str) -> list[str]:
    parts = name.split("/")
    faults = [message for broken, message in _RULES if any(map(broken, parts))]
    if _length(name) > MAX_NAME:
        faults.append(f"Must not exceed {MAX_NAME} bytes of UTF-8.")
    if len(parts) > MAX_DEPTH:
        faults.append(f"Must not have more than {MAX_DEPTH} parts.")
    return faults


class Names:
    """The names of one archive so far: a tree, case-folded, of folders and of entry indices.

    ``rewrite`` makes names usable instead of refusing them; the same ones always the same way.
    """

    def __init__(self, kind: Format | None = None, rewrite: bool = False) -> None:
        self._root: Tree = {}
        # The folder of the name before, as it was given, which most names share.
        self._folder, self._node = "", self._root
        self._kind = kind
        self._rewrite = rewrite
        self._plain_is_good = kind is None or kind.misread is None

    def add(self, index: int, name: str, directory: bool = False) -> str:
        """Return the name in NFC, or raise InvalidProblem with all that is wrong with it."""
        if self._plain_is_good and not directory and name.startswith(self._folder):
            last = len(self._folder)
            if (
                _PLAIN_PART.fullmatch(name, last)
                and self._node.setdefault(name[last:].lower(), index) == index
            ):
                return name
        if not name.isascii():
            name = unicodedata.normalize("NFC", name)
        if self._rewrite:
            name = self._free(index, _rewritten(name, self._kind), directory)
        elif faults := self._faults(name) or self._clash(index, name, directory):
            raise InvalidProblem(
                "An entry has a name that cannot be used.",
                errors={f"entries.{index}.name": faults},
            )
        return name

    def reserve(self, names: Iterable[str]) -> None:
        """Keep the names for what the archive tells of itself."""
        for name in names:
            self._root[name] = _RESERVED

    def link(self, index: int, entry: Entry) -> None:
        """Raise InvalidProblem for a symbolic link that leads out of the archive.

        Only at its beginning may it go up: later, ".." could follow another link.
        """
        up, parts = 0, entry.target.split("/")
        while parts[up : up + 1] == [".."]:
            up += 1
        rest = "/".join(parts[up:])
        faults = faults_of(rest) if rest else []
        if up > entry.name.count("/"):
            faults.append("Must not lead out of the archive.")
        if faults:
            message = "A link has a target that cannot be used."
            raise InvalidProblem(message, errors={f"entries.{index}.target": faults})

    def _faults(self, name: str) -> list[str]:
        plain = is_plain(name)
        faults = [] if plain else faults_of(name)
        if self._kind and self._kind.flat and "/" in name:
            faults.append(f"There are no folders in {self._kind.name}.")
        if self._kind and any(self._kind.readable(part) != part for part in name.split("/")):
            faults.append(self._kind.misreading)
        if self._kind and not plain and _longest(name) > self._kind.max_part:
            faults.append(f"No part may exceed {self._kind.max_part} characters.")
        return faults

    def _free(self, index: int, name: str, directory: bool) -> str:
        """Return the name, numbered where another has it, or has that of its folder."""
        for number in count(2):
            if not self._clash(index, name, directory):
                return name
            parts = name.split("/")
            at = self._taken(parts)
            path = PurePosixPath(_NUMBER.sub("", parts[at]))
            parts[at] = f"{_cut(path.stem, 200)} ({number}){_cut(path.suffix, 20)}"
            name = "/".join(parts)
        raise AssertionError("numbers do not end")

    def _taken(self, parts: Sequence[str]) -> int:
        """Return the place of the part that is the name of an entry, the last by default."""
        node: Tree | int = self._root
        for at, part in enumerate(parts[:-1]):
            node = node.get(_folded(part), {}) if isinstance(node, dict) else node
            if not isinstance(node, dict):
                return at
        return len(parts) - 1

    def _clash(self, index: int, name: str, directory: bool) -> list[str]:
        # Windows and macOS keep one of "A" and "a"; folding can undo NFC, hence the second pass.
        folded = name.lower() if name.isascii() else _folded(name)
        *folders, last = folded.split("/")
        node: Tree | int = self._root
        for folder in folders:
            node = node.setdefault(folder, {}) if isinstance(node, dict) else node
        if directory and isinstance(node, dict) and isinstance(node.get(last, {}), dict):
            node.setdefault(last, {})
            return []
        other = node.setdefault(last, index) if isinstance(node, dict) else node
        if isinstance(node, dict) and not self._rewrite and len(name) < _SHORT:
            self._folder, self._node = name[: name.rfind("/") + 1], node
        if isinstance(other, dict):
            return ["Names a folder that other entries are in."]
        if other == _RESERVED:
            return ["Is the name of what the archive tells of itself."]
        return [] if other == index else [f"Clashes with the name of entry {other}."]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _longest(name: str) -> int:
    return max(len(part.encode("utf-16-le", "surrogatepass")) // 2 for part in name.split("/"))


def _rewritten(name: str, kind: Format | None) -> str:
    """Return a name without faults that is as like the given one as can be.

    A drive, a leading "/" and what leads up are left out, as tar does; what some system cannot
    hold becomes "_"; what is too long is cut.
    """
    name = _DRIVE.sub("", name).replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".", "..")][-MAX_DEPTH:]
    made = [_part(part, kind.max_part if kind else MAX_PART) for part in parts] or ["_"]
    if kind:
        made = [kind.readable(part) for part in (made[-1:] if kind.flat else made)]
    while _length("/".join(made)) > MAX_NAME:
        made = made[1:]
    return "/".join(made)


def _part(part: str, longest: int) -> str:
    part = _PUNCTUATION.sub("_", _INVISIBLE.sub("_", part))
    part = _cut(part, MAX_PART)
    while _longest(part) > longest:
        part = part[:-1]
    part = _VERSION.sub("_", part)
    part = part.rstrip(". ") + "_" * (len(part) - len(part.rstrip(". ")))
    return _cut(f"_{part}", MAX_PART) if _DEVICE.fullmatch(part) else part


def _cut(text: str, length: int) -> str:
    """Return as much of the beginning as fits into so many bytes of UTF-8."""
    return text.encode()[:length].decode("utf-8", "ignore")


def check_names(names: Iterable[str | tuple[str, Kind]], kind: Format | None = None) -> list[str]:
    """Return the names in NFC; raise one InvalidProblem that lists the faults of all of them."""
    known, checked = Names(kind), []
    errors: dict[str, Sequence[str]] = {}
    for index, each in enumerate(names):
        name, what = (each, "file") if isinstance(each, str) else each
        try:
            checked.append(known.add(index, name, what == "directory"))
        except InvalidProblem as problem:
            errors.update(problem.errors or {})
    if errors:
        raise InvalidProblem("Some entries have names that cannot be used.", errors=errors)
    return checked
