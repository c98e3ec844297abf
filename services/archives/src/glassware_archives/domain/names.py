"""Entry names that every system can hold, and that stay where they are unpacked.

One policy: a name that could leave its folder, vanish, or overwrite another on some system is
refused with a message; nothing is renamed. The only change made is Unicode normalisation to NFC,
so that "é" typed on a Mac and on a PC is one name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from glassware.problems import InvalidProblem

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


def _faults(name: str) -> list[str]:
    parts = name.split("/")
    faults = [message for broken, message in _RULES if any(map(broken, parts))]
    if _length(name) > MAX_NAME:
        faults.append(f"Must not exceed {MAX_NAME} bytes of UTF-8.")
    if len(parts) > MAX_DEPTH:
        faults.append(f"Must not have more than {MAX_DEPTH} parts.")
    return faults


class Names:
    """The names of one archive so far: a tree, case-folded, of folders and of entry indices."""

    def __init__(self) -> None:
        self._root: dict[str, object] = {}

    def add(self, index: int, name: str) -> str:
        """Return the name in NFC, or raise InvalidProblem with all that is wrong with it."""
        name = unicodedata.normalize("NFC", name)
        if faults := _faults(name) or self._clash(index, name):
            raise InvalidProblem(
                "An entry has a name that cannot be used.",
                errors={f"entries.{index}.name": faults},
            )
        return name

    def _clash(self, index: int, name: str) -> list[str]:
        # Windows and macOS keep one of "A" and "a"; folding can undo NFC, hence the second pass.
        folded = unicodedata.normalize("NFC", name.casefold())
        *folders, last = folded.split("/")
        node: object = self._root
        for folder in folders:
            node = node.setdefault(folder, {}) if isinstance(node, dict) else node
        other = node.setdefault(last, index) if isinstance(node, dict) else node
        if isinstance(other, dict):
            return ["Names a folder that other entries are in."]
        return [] if other == index else [f"Clashes with the name of entry {other}."]


def check_names(names: Iterable[str]) -> list[str]:
    """Return the names in NFC; raise one InvalidProblem that lists the faults of all of them."""
    known, checked = Names(), []
    errors: dict[str, Sequence[str]] = {}
    for index, name in enumerate(names):
        try:
            checked.append(known.add(index, name))
        except InvalidProblem as problem:
            errors.update(problem.errors or {})
    if errors:
        raise InvalidProblem("Some entries have names that cannot be used.", errors=errors)
    return checked
