"""A service whose resources are jobs, some of which do not go well."""

from __future__ import annotations

import time
from typing import Any

from marshmallow import fields
from marshmallow.validate import Length, Range

from glassware.api import Resource, Schema, runtime
from glassware.auth import Principal, authenticated
from glassware.db import Database
from glassware.jobs import JobRow, Jobs, Run, accepted, job
from glassware.problems import InvalidProblem, UnavailableProblem
from glassware.service import Service

db = Database(pool_timeout=5)
#: What the jobs of this process have done, in order.
DONE: list[tuple[str, int]] = []


class JobModel(JobRow, db.Model):
    __tablename__ = "jobs"


@job()
def build(run: Run, name: str, steps: int, pause: float = 0.0) -> str:
    """Take so many steps."""
    run.steps_total = steps
    for step in range(steps):
        run.steps = step
        run.progress(step, steps)
        time.sleep(pause)
    run.progress(steps, steps)
    DONE.append((name, run.attempt))
    return f"/toys/{name}"


@job(attempts=3)
def stumble(run: Run, name: str, times: int) -> str:
    """Fall so many times first."""
    if run.attempt <= times:
        raise RuntimeError("a fall, with a password in it")
    DONE.append((name, run.attempt))
    return f"/toys/{name}"


@job()
def refuse(run: Run, status: int) -> None:
    """Fail by a problem."""
    if status < 500:
        raise InvalidProblem("It cannot be made.", errors={"name": ["Too odd."]})
    raise UnavailableProblem("The shop is closed.", cause={"title": "Holidays", "status": 503})


class ToySchema(Schema):
    kind = fields.String(required=True)
    name = fields.String(load_default="toy", validate=Length(max=50))
    number = fields.Integer(load_default=0, validate=Range(0, 1000))
    pause = fields.Float(load_default=0.0, validate=Range(0, 1))
    max_age = fields.Float(load_default=None, allow_none=True)


class ToyList(Resource):
    """Toys, made to order."""

    path = "/toys"
    policy = authenticated()
    body = ToySchema

    def post(self, who: Principal, data: dict[str, Any]) -> Any:
        match data["kind"]:
            case "build":
                wish = {"name": data["name"], "steps": data["number"], "pause": data["pause"]}
                if data["max_age"] is None:
                    return accepted(build.later(who, **wish))
                return accepted(build.shared(who, data["max_age"], **wish))
            case "stumble":
                return accepted(stumble.later(who, name=data["name"], times=data["number"]))
            case "refuse":
                return accepted(refuse.later(who, status=data["number"]))
        build.later(who, name=data["name"], steps=1)
        raise InvalidProblem("Added, and then refused.")


def sweep() -> None:
    """Remove what no job holds: here, nothing but the list of what was done."""
    assert runtime().jobs is not None
    DONE.clear()


service = Service(
    "toys",
    package="glassware",
    resources=(ToyList,),
    database=db,
    jobs=Jobs(JobModel, (build, stumble, refuse), sweep),
)
