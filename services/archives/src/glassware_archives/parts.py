"""What the archives service keeps for as long as its app lives."""

from __future__ import annotations

from glassware.client import outside_client
from glassware.config import Config
from glassware_archives.domain import Limits, ensure_environment


class Parts:
    """The limits of an archive, and the guarded way to the addresses that callers choose."""

    def __init__(self, config: Config) -> None:
        ensure_environment()
        self.limits = Limits(
            max_entries=config["archives.max_entries"],
            max_bytes=config["archives.max_bytes"],
            max_seconds=config["archives.max_seconds"],
            max_spool=config["archives.max_spool"],
        )
        self.outside = outside_client(
            allow=config["archives.allowed_sources"],
            timeout=config["archives.source_timeout"],
            deadline=config["archives.max_seconds"],
        )
