"""Jobs: work that outlives its request. The row of a job is the truth about it."""

from glassware.jobs.kinds import LostError, Run, Then, job
from glassware.jobs.model import JobRow
from glassware.jobs.queue import Jobs, Queue
from glassware.jobs.resources import accepted, wants_job

__all__ = ["JobRow", "Jobs", "LostError", "Queue", "Run", "Then", "accepted", "job", "wants_job"]
