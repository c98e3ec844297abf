"""How an archive is to be made, beside its format: what the caller may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from glassware.problems import InvalidProblem
from glassware_archives.domain.formats import FORMATS, Format

COMPRESSIONS = ("fast", "small", "store")


@dataclass(frozen=True)
class Options:
    """The choices; the passphrase is in no representation, so in no log.

    ``on_error``: a source that fails ends the archive, or is left out and told in
    ``_errors.json``. ``manifest``: ``_manifest.json`` lists size, CRC-32 and SHA-256 of each
    entry. ``names``: one that is unsafe somewhere is refused, or rewritten. ``library``: a zip is
    written by libarchive.
    """

    compression: Literal["fast", "small", "store"] | None = None
    on_error: Literal["abort", "report"] = "abort"
    names: Literal["refuse", "rewrite"] = "refuse"
    manifest: bool = False
    library: bool = False
    passphrase: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, wish: Mapping[str, Any]) -> Self:
        """Return the choices that a wish has among its members."""
        return cls(**{each.name: wish[each.name] for each in fields(cls) if each.name in wish})

    def is_plain(self, format: str) -> bool:
        """Whether all that is in the archive is what was given, as it was given."""
        return self in (Options(compression="store"), Options()) and (
            self.level(FORMATS[format]) == "store"
        )

    def level(self, kind: Format) -> str:
        """Return the compression that was chosen, the format's own where none was."""
        return self.compression or next(iter(kind.levels))

    def check(self, kind: Format) -> None:
        """Raise InvalidProblem for what the format cannot do."""
        errors = {}
        if self.passphrase is not None and (kind.name != "zip" or self.library):
            errors["passphrase"] = ["Only a zip of our own can be encrypted."]
        if self.library and kind.name != "zip":
            errors["library"] = ["Only zip has a writer beside that of libarchive."]
        if self.level(kind) not in kind.levels:
            errors["compression"] = [f"Must be one of {', '.join(kind.levels)}."]
        if errors:
            raise InvalidProblem("The format cannot do what is asked for.", errors=errors)
