"""Archives, without HTTP: entries go in as iterators of bytes, an archive comes out as one.

``ensure_environment`` once at start-up, ``check_names`` on a manifest, then ``build``.
"""

from __future__ import annotations

from glassware_archives.domain.engine import Stream, build
from glassware_archives.domain.entries import Entry, Limits
from glassware_archives.domain.formats import FORMATS, Format
from glassware_archives.domain.ledger import Ledger
from glassware_archives.domain.names import check_names
from glassware_archives.domain.native import ensure_environment, library
from glassware_archives.domain.options import Options
from glassware_archives.domain.workers import Workers

__all__ = [
    "FORMATS",
    "Entry",
    "Format",
    "Ledger",
    "Limits",
    "Options",
    "Stream",
    "Workers",
    "build",
    "check_names",
    "ensure_environment",
    "library",
]
