"""Who calls, how often, and whether they may: what comes before a resource's own work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flask import request

from glassware.api.runtime import runtime
from glassware.auth import ANONYMOUS, Policy, Principal
from glassware.limits.rate import DEFAULT
from glassware.limits.windows import Limit
from glassware.problems import UnauthorizedProblem

#: A resource's limits, or None for no limit; where it names none, ``limits.default`` holds.
Limits = str | Mapping[str, str] | None


def admit(policy: Policy | None, limits: Limits) -> Principal:
    """Return the caller. Raises UnauthorizedProblem, TooManyRequestsProblem, ForbiddenProblem.

    A public resource does not look at credentials at all. Credentials that do not hold are counted
    against the network that they came from.
    """
    if policy is None:
        raise UnauthorizedProblem()
    who = ANONYMOUS
    try:
        if not policy.is_public:
            who = identify(policy)
            request.environ["glassware.principal"] = who
    finally:
        meter(limits, who)
    policy.admit(who)
    return who


def identify(policy: Policy) -> Principal:
    """Return who the credentials prove the caller to be, and where they are as policy asks."""
    here = runtime()
    who = here.verifier.principal(request.headers.get("Authorization")) or ANONYMOUS
    if not policy.networks:
        return who
    found = {name for name in policy.networks if here.config[name].hold(request.remote_addr)}
    return replace(who, networks=frozenset(found))


def meter(limits: Limits, who: Principal) -> None:
    """Count the request against the limit of the resource, or the one that all share."""
    if limits is None:
        return
    name, text = request.endpoint or "", limits
    if not isinstance(text, str):
        name, text = f"{name}.{request.method.lower()}", text.get(request.method, "")
    limiter = runtime().limiter
    if text:
        limiter.meter(name, Limit.of(text), who, request.remote_addr)
    else:
        limiter.meter(DEFAULT, limiter.default, who, request.remote_addr)
