"""tour.py DOMAIN: walk the suite's tour through the machine's web server.

Runs inside the machine, by the Python of a service: the tour is part of what is installed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from glassware.cli import tour


class Installed:
    """The suite as it is on the machine, for the tour."""

    def __init__(self, domain: str, folder: Path) -> None:
        names = ("auth", "tasks", "archives")
        self.members = {name: SimpleNamespace(url=f"https://{name}.{domain}") for name in names}
        self.folder = folder

    def manage(self, name: str, *words: str) -> str:
        return output(f"glassware-{name}", *words)

    def log(self, name: str) -> Path:
        path = self.folder / name
        path.write_text(output("journalctl", "--output=cat", f"--unit=glassware-{name}"))
        return path


def output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        suite = cast(Any, Installed(sys.argv[1], Path(name)))
        tour.visit(suite, tour.FILE_PORT, Path(name))
