"""The resources of every service: its root, its health, its kinds of problems."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import getdoc
from typing import Any

from flask import Response, current_app
from marshmallow import fields

from glassware.api.resource import Resource
from glassware.api.runtime import link, runtime
from glassware.api.schema import Schema, page_of
from glassware.auth import Principal, network, public
from glassware.observe.metrics import CONTENT_TYPE
from glassware.problems import NotFoundProblem, Problem, tree


class RootSchema(Schema):
    """What there is."""

    service = fields.String()
    release = fields.String()
    resources = fields.Dict(keys=fields.String(), values=fields.URL())


class HealthSchema(Schema):
    """Whether all is well: "ok" or, for a check, what is wrong."""

    status = fields.String()
    checks = fields.Dict(keys=fields.String(), values=fields.String())


class Root(Resource):
    """The resources of the service, by name."""

    path = "/"
    policy = public("a map of the service")
    answers = RootSchema

    def get(self, who: Principal) -> Any:
        """Return the URL of each collection and entry point."""
        parts = runtime()
        rules = sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule)
        resources = {
            rule.endpoint: link(rule.endpoint)
            for rule in rules
            if not rule.arguments and rule.endpoint not in ("root", "live", "ready", "static")
        }
        return {"service": parts.service, "release": parts.release, "resources": resources}


class Live(Resource):
    """Whether the process answers at all."""

    path = "/health/live"
    policy = public("health")
    limit = None
    constant = True
    answers = HealthSchema

    def get(self, who: Principal) -> Any:
        return {"status": "ok"}


class Ready(Resource):
    """Whether the service can do its work: database, schema, keys."""

    path = "/health/ready"
    policy = public("health")
    limit = None
    answers = HealthSchema
    statuses = (200, 503)

    def get(self, who: Principal) -> Any:
        """Return the checks by name, with 503 when one of them fails."""
        ok, checks = runtime().checks.ready()
        return {"status": "ok" if ok else "failing", "checks": checks}, 200 if ok else 503


class ProblemTypeSchema(Schema):
    """A kind of problem."""

    url = fields.String()
    title = fields.String()
    status = fields.Integer()
    meaning = fields.String()
    advice = fields.String()


class MetricsPage(Resource):
    """The metrics of the service, for the networks in ``metrics.allow``."""

    path = "/metrics"
    policy = network("metrics.allow")
    limit = None
    makes = ("text/plain",)

    def get(self, who: Principal) -> Response:
        """Return the values in Prometheus's text format."""
        return Response(runtime().metrics.text(), content_type=CONTENT_TYPE)


class ProblemList(Resource):
    """The kinds of problems that the service may answer with."""

    path = "/problems"
    policy = public("documentation")
    answers = page_of(ProblemTypeSchema)

    def get(self, who: Principal) -> Any:
        return {"items": [about(kind) for kind in kinds()], "next": None}


class ProblemType(Resource):
    """One kind of problem: what it means and what to do (RFC 9457 section 3.1.1)."""

    path = "/problems/<slug>"
    policy = public("documentation")
    answers = ProblemTypeSchema

    def get(self, who: Principal, slug: str) -> Any:
        for kind in kinds():
            if kind.slug == slug:
                return about(kind)
        raise NotFoundProblem("There is no problem of this kind.")


def kinds() -> Iterator[type[Problem]]:
    """Yield every kind, the plain one of a status without a kind of its own included."""
    yield Problem
    yield from tree()


def about(kind: type[Problem]) -> dict[str, Any]:
    return {
        "url": link("problem_type", slug=kind.slug),
        "title": kind.title,
        "status": int(kind.status),
        "meaning": meaning(kind),
        "advice": kind.advice,
    }


def meaning(kind: type[Problem]) -> str:
    """Return what the kind's docstring says first."""
    first, *_ = (getdoc(kind) or "").split("\n\n")
    return " ".join(first.split()).replace("``", "`")


class Fault(Resource):
    """A fault on purpose, in development only: what does one look like from two hops away?"""

    path = "/fault"
    policy = public("development only")

    def get(self, who: Principal) -> Any:
        raise RuntimeError("a fault on purpose")


SYSTEM = (Root, Live, Ready, MetricsPage, ProblemList, ProblemType)
