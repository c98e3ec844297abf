"""The rows of the archives service: what is being built, and what was."""

from __future__ import annotations

from glassware.db import Database
from glassware.jobs import JobRow

db = Database()


class Job(JobRow, db.Model):
    """An archive to be built; what it becomes is a file of the state."""
