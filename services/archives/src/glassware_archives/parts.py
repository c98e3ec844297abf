"""What the archives service keeps for as long as its app lives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from glassware.client import Client, outside_client
from glassware.config import Config, ConfigError
from glassware_archives.domain import Limits, ensure_environment
from glassware_archives.domain.ahead import Bounds
from glassware_archives.domain.exports import exports
from glassware_archives.domain.inside import Caution
from glassware_archives.domain.sources import Parts as Uploads
from glassware_archives.domain.sources import Ways
from glassware_archives.domain.store import Store


class Parts:
    """The limits of an archive, the guarded way to addresses that callers choose, and the store."""

    def __init__(self, config: Config) -> None:
        ensure_environment()
        self.limits = Limits(
            max_entries=config["archives.max_entries"],
            max_bytes=config["archives.max_bytes"],
            max_seconds=config["archives.max_seconds"],
            max_spool=config["archives.max_spool"],
        )
        self.store = Store(Path(config["service.state_dir"]) / "archives")
        self.outside = outside_client(
            allow=config["archives.allowed_sources"],
            timeout=config["archives.source_timeout"],
            deadline=config["archives.max_seconds"],
        )
        self.max_upload = config["archives.max_upload"]
        self.caution = Caution(
            entries=config["archives.max_entries"],
            bytes=config["archives.max_bytes"],
            ratio=config["archives.max_ratio"],
            seconds=config["archives.max_reading"],
        )
        try:
            self.exports = exports(config["archives.exports"])
        except ValueError as error:
            raise ConfigError(f"archives.exports: {error}") from None
        self.bounds = Bounds(
            at_once=config["archives.fetches"],
            per_origin=config["archives.fetches_per_origin"],
            max_bytes=config["archives.max_ahead"],
            patience=config["archives.source_timeout"],
            seconds=config["archives.max_seconds"],
        )

    def ways(self, siblings: Mapping[str, Client], parts: Uploads | None = None) -> Ways:
        """Return the ways to the sources of an archive."""
        return Ways(self.outside, siblings, self.bounds, self.exports, parts or {})
