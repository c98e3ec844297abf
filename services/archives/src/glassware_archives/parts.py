"""What the archives service keeps for as long as its app lives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from glassware.client import Client, Watch, outside_client
from glassware.config import Config, ConfigError
from glassware_archives.domain import Limits, Workers, ensure_environment
from glassware_archives.domain.ahead import Bounds
from glassware_archives.domain.exports import exports
from glassware_archives.domain.inside import Caution
from glassware_archives.domain.sources import Parts as Uploads
from glassware_archives.domain.sources import Ways
from glassware_archives.domain.store import Store

if TYPE_CHECKING:
    from glassware_archives.domain.bucket import Bucket


def store(config: Config) -> Store | Bucket:
    """Return where finished archives are kept. Raises ConfigError."""
    url = urlsplit(config["archives.store"])
    if url.scheme == "file" and url.path.startswith("/") and not url.netloc:
        return Store(Path(url.path))
    if url.scheme != "s3" or not url.netloc:
        raise ConfigError("archives.store must be file:/folder or s3://bucket/prefix")
    from glassware_archives.domain.bucket import Bucket, Place

    prefix = url.path.strip("/")
    place = Place(
        bucket=url.netloc,
        prefix=f"{prefix}/" if prefix else "",
        endpoint=config["archives.s3_endpoint"],
        region=config["archives.s3_region"],
        access_key=config["archives.s3_access_key"],
        secret_key=config["archives.s3_secret_key"],
    )
    return Bucket(place, config["archives.max_bytes"], config["archives.s3_redirect"])


class Parts:
    """The limits of an archive, who compresses it, who waits for it, its sources, and the store."""

    def __init__(self, config: Config) -> None:
        ensure_environment()
        self.limits = Limits(
            max_entries=config["archives.max_entries"],
            max_bytes=config["archives.max_bytes"],
            max_seconds=config["archives.max_seconds"],
            max_spool=config["archives.max_spool"],
        )
        self.workers = Workers()
        self.watch = Watch()
        self.store = store(config)
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
