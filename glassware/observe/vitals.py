"""What is looked at anew whenever the metrics are read: version, readiness, room."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable

from glassware.config import Config
from glassware.observe.health import OK, Checks
from glassware.observe.metrics import Metrics, Values


def watch(metrics: Metrics, config: Config, checks: Checks, release: str) -> None:
    """Export what every service can tell of itself."""
    version = (config.service, release, platform.python_version())
    metrics.watch(
        "build_info",
        "What runs here: 1.",
        lambda: {version: 1},
        ("service", "release", "python"),
    )
    metrics.watch(
        "health_check_ok",
        "Whether the check passes, as /health/ready says.",
        lambda: {(name,): status == OK for name, status in checks.ready().checks.items()},
        ("check",),
    )
    metrics.watch(
        "http_requests_capacity",
        "Requests that can be answered at once.",
        lambda: {(): config["server.workers"] * config["server.threads"]},
    )
    metrics.watch("state_free_bytes", "Bytes that are free for the state.", room(config, "free"))
    metrics.watch("state_size_bytes", "Bytes of the disk of the state.", room(config, "total"))


def room(config: Config, part: str) -> Callable[[], Values]:
    """Return what looks at the disk; there is nothing to tell where there is no state."""

    def look() -> Values:
        try:
            return {(): getattr(shutil.disk_usage(config["service.state_dir"]), part)}
        except OSError:
            return {}

    return look
