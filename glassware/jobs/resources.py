"""Jobs over HTTP: those of the caller, how far each is, what it made or why it failed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from marshmallow import fields
from sqlalchemy import Select, select

from glassware.api import (
    Collection,
    Instant,
    Item,
    Link,
    Resource,
    Schema,
    conditional,
    exact,
    runtime,
)
from glassware.api.resource import flush
from glassware.api.runtime import database, link, public_url
from glassware.api.schema import made
from glassware.auth import Principal, authenticated
from glassware.jobs.model import JobRow
from glassware.problems import ConflictProblem, NotFoundProblem, TooManyJobsProblem


class MadeURL(fields.String):
    """The URL of a resource of this service, kept as its path."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else public_url() + value


class TypeURL(fields.String):
    """The type of a problem; our own is kept as its path."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return absolute(value, public_url())


class ProblemSchema(Schema):
    """Why a job failed, or what is missing from what it made (RFC 9457).

    ``entry`` names the part of what was asked for that it failed by.
    """

    type = TypeURL()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    instance = fields.String()
    entry = fields.String()
    service = fields.String()
    request_id = fields.String()
    errors = fields.Dict(fields.String(), fields.List(fields.String()))
    cause = fields.Nested(lambda: ProblemSchema())


class JobSchema(Schema):
    """A job: how far it is, and in the end its result or its problem."""

    url = Link("job")
    kind = fields.String(dump_only=True)
    state = fields.String(dump_only=True)
    done = fields.Integer(dump_only=True)
    total = fields.Integer(dump_only=True, allow_none=True)
    steps = fields.Integer(dump_only=True, allow_none=True)
    steps_total = fields.Integer(dump_only=True, allow_none=True)
    rate = fields.Float(dump_only=True, allow_none=True)
    seconds_left = fields.Float(dump_only=True, allow_none=True)
    result = MadeURL(dump_only=True, allow_none=True)
    problem = fields.Nested(ProblemSchema, dump_only=True, allow_none=True)
    created_at = Instant(dump_only=True)
    finished_at = Instant(dump_only=True, allow_none=True)
    expires_at = Instant(dump_only=True, allow_none=True)


def absolute(path: str, base: str) -> str:
    """Return the URL of a path below the base; a URL is left as it is."""
    return base + path if path.startswith("/") else path


def own(who: Principal) -> Select[Any]:
    model: Any = runtime().jobs.jobs.model
    return select(model).where(model.owner == who.subject)


class JobList(Collection):
    """The caller's jobs."""

    path = "/jobs"
    schema = JobSchema
    policy = authenticated()
    filters = {"state": exact, "kind": exact}
    sorts = ("created_at",)

    def select(self, who: Principal) -> Select[Any]:
        return own(who)


class Job(Item):
    """One job. Ask again until its state is ``done``, ``failed`` or ``cancelled``."""

    path = "/jobs/<uuid:id>"
    schema = JobSchema
    policy = authenticated()

    def select(self, who: Principal) -> Select[Any]:
        return own(who)

    def delete(self, who: Principal, **ids: Any) -> None:
        """Cancel the job, or forget it where it has ended."""
        item = self.find(who, ids)
        # Not needed: the version changes with every beat.
        if "If-Match" in request.headers:
            conditional.require_match(item)
        self.remove(who, item)

    def remove(self, who: Principal, item: JobRow) -> None:
        runtime().jobs.cancel(item)


class JobRetryList(Resource):
    """Further attempts at a job that failed or was cancelled."""

    path = "/jobs/<uuid:id>/retries"
    policy = authenticated()
    answers = JobSchema
    statuses = (202,)
    problems = (NotFoundProblem, ConflictProblem, TooManyJobsProblem)

    def post(self, who: Principal, id: UUID) -> Any:
        """Do it again, with the token of this request."""
        job = database().session.scalar(own(who).filter_by(id=id))
        if job is None:
            raise NotFoundProblem("There is no such job.")
        runtime().jobs.revive(job, who)
        return job, 202, {"Location": link("job", id=id)}


def wants_job() -> bool:
    """Whether the caller would rather have a job than wait (RFC 7240 section 4.1)."""
    preferences = request.headers.get("Prefer", "").lower().split(",")
    return "respond-async" in {each.strip() for each in preferences}


def accepted(job: JobRow) -> Any:
    """Answer with the job: 202, and where to ask for it."""
    flush()
    document = made(JobSchema).dump(job)
    return document, 202, {"Location": document["url"], "Preference-Applied": "respond-async"}


RESOURCES = (JobList, Job, JobRetryList)
