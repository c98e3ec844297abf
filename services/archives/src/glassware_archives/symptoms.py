"""What `manage.py doctor` looks for in this service beside what it looks for in all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator

from glassware.cli.doctor import Case


def symptom_temporary_files_lack_room(case: Case) -> Iterator[str]:
    """There is less room for temporary files than the archives being built at once may take.

    Those that need more than there is fail in the middle. Set TMPDIR to a larger disk, or lower
    archives.max_spool.
    """
    config, folder = case.config, tempfile.gettempdir()
    wanted = config["archives.max_spool"] * config["server.workers"] * config["server.threads"]
    free = shutil.disk_usage(folder).free
    if free < wanted:
        yield f"{free / 2**20:,.0f} MiB are free in {folder}, {wanted / 2**20:,.0f} may be needed"
