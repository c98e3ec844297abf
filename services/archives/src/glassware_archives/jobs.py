"""What outlives its request: archives built into files, to be fetched when they are done."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from glassware.api import runtime
from glassware.api.schema import made
from glassware.jobs import Jobs, Run, job
from glassware_archives.callbacks import archive_callback
from glassware_archives.domain import Ledger, Options
from glassware_archives.domain.sources import archive, length
from glassware_archives.models import Job
from glassware_archives.schemas import ArchiveSchema


def calls_neighbours(wish: dict[str, Any]) -> bool:
    return any("service" in entry for entry in wish["entries"])


@job(acts=calls_neighbours)
def archive_build(run: Run, wish: dict[str, Any]) -> str:
    """Build the archive that was asked for; its progress is in bytes, and in entries as steps."""
    here = runtime()
    data = made(ArchiveSchema).load(wish)
    total = cache(partial(length, data))

    def finished(steps: int, of: int) -> None:
        run.steps, run.steps_total = steps, of

    def grown(done: int) -> None:
        run.progress(done, total())

    ways, limits, ledger = here.parts.ways(here.siblings), here.parts.limits, Ledger()
    how = Options.of(data), here.parts.workers, ledger, finished
    blocks = archive(data["format"], data["entries"], ways, limits, *how)
    here.parts.store.keep(f"{run.id}.{run.fence}", data, blocks, grown)
    run.problem = ledger.problem()
    return f"/archives/{run.id}"


def sweep() -> None:
    """Remove the files of jobs that are gone, and those that were never finished."""
    here = runtime()
    here.parts.store.sweep(here.jobs.holds)


jobs = Jobs(Job, (archive_build, archive_callback), sweep)
