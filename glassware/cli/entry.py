"""The command of an installed service: ``glassware-tasks`` is its ``manage.py``."""

from __future__ import annotations

import sys
from pathlib import Path

from glassware.cli.manager import Manager


def main() -> None:
    """Drive the service that the program is named after, and exit."""
    program = Path(sys.argv[0]).name
    Manager(f"{program.replace('-', '_')}.app:service").main(prog_name=program)
