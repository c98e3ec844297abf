"""What outlives its request: archives built into files, to be fetched when they are done."""

from __future__ import annotations

from typing import Any

from glassware.api import runtime
from glassware.api.schema import made
from glassware.jobs import Jobs, Run, job
from glassware_archives.domain.sources import archive
from glassware_archives.domain.store import Store
from glassware_archives.models import Job
from glassware_archives.schemas import ArchiveSchema


def calls_neighbours(wish: dict[str, Any]) -> bool:
    return any("service" in entry for entry in wish["entries"])


@job(acts=calls_neighbours)
def archive_build(run: Run, wish: dict[str, Any]) -> str:
    """Build the archive that was asked for; its progress is in bytes."""
    here = runtime()
    data = made(ArchiveSchema).load(wish)
    ways = here.parts.ways(here.siblings)
    blocks = archive(data["format"], data["entries"], ways, here.parts.limits)
    store: Store = here.parts.store
    store.keep(f"{run.id}.{run.fence}", data, blocks, run.progress)
    return f"/archives/{run.id}"


def sweep() -> None:
    """Remove the files of jobs that are gone, and those that were never finished."""
    here = runtime()
    here.parts.store.sweep(here.jobs.holds)


jobs = Jobs(Job, (archive_build,), sweep)
