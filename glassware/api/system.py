"""The resources of every service: its root, its health, its kinds of problems."""

from __future__ import annotations

from typing import Any

from flask import current_app, request, url_for

from glassware.api.resource import Resource
from glassware.api.runtime import runtime
from glassware.auth import Principal, public
from glassware.problems import NotFoundProblem, tree


class Root(Resource):
    """The resources of the service, by name."""

    path = "/"
    policy = public("a map of the service")

    def get(self, who: Principal) -> Any:
        """Return the URL of each collection and entry point."""
        parts = runtime()
        rules = sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule)
        resources = {
            rule.endpoint: url_for(rule.endpoint, _external=True)
            for rule in rules
            if not rule.arguments and rule.endpoint not in ("root", "live", "ready", "static")
        }
        return {"service": parts.service, "release": parts.release, "resources": resources}


class Live(Resource):
    """Whether the process answers at all."""

    path = "/health/live"
    policy = public("health")

    def get(self, who: Principal) -> Any:
        return {"status": "ok"}


class Ready(Resource):
    """Whether the service can do its work: database, schema, keys."""

    path = "/health/ready"
    policy = public("health")

    def get(self, who: Principal) -> Any:
        """Return the checks by name, with 503 when one of them fails."""
        ok, checks = runtime().checks.ready()
        return {"status": "ok" if ok else "failing", "checks": checks}, 200 if ok else 503


class ProblemList(Resource):
    """The kinds of problems that the service may answer with."""

    path = "/problems"
    policy = public("documentation")

    def get(self, who: Principal) -> Any:
        return {"items": [about(kind) for kind in tree()], "next": None}


class ProblemType(Resource):
    """One kind of problem: what it means and what to do (RFC 9457 section 3.1.1)."""

    path = "/problems/<slug>"
    policy = public("documentation")

    def get(self, who: Principal, slug: str) -> Any:
        for kind in tree():
            if kind.slug == slug:
                return about(kind)
        raise NotFoundProblem("There is no problem of this kind.")


def about(kind: Any) -> dict[str, Any]:
    meaning = " ".join((kind.__doc__ or "").split())
    return {
        "url": request.host_url.rstrip("/") + f"/problems/{kind.slug}",
        "title": kind.title,
        "status": int(kind.status),
        "meaning": meaning,
        "advice": kind.advice,
    }


class Fault(Resource):
    """A fault on purpose, in development only: what does one look like from two hops away?"""

    path = "/fault"
    policy = public("development only")

    def get(self, who: Principal) -> Any:
        raise RuntimeError("a fault on purpose")


SYSTEM = (Root, Live, Ready, ProblemList, ProblemType)
