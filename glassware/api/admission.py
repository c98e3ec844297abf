"""Who calls, how often, and whether they may: what comes before a resource's own work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from flask import request

from glassware.api.runtime import public_url, runtime
from glassware.auth import ANONYMOUS, Policy, Principal, signatures
from glassware.limits.rate import DEFAULT
from glassware.limits.windows import Limit
from glassware.problems import UnauthorizedProblem

#: A resource's limits, or None for no limit; where it names none, ``limits.default`` holds.
Limits = str | Mapping[str, str] | None


#: What a path may hold as it is (RFC 3986 section 3.3).
PATH = "/!$&'()*+,;=:@~"


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
    bearer = request.headers.get("Authorization")
    if here.signatures is not None and signatures.HEADER in request.headers:
        if bearer is not None:
            raise signatures.refusal("a bearer token beside it would be a second caller")
        who = here.signatures.principal(signed())
    else:
        who = here.verifier.principal(bearer) or ANONYMOUS
    if not policy.networks:
        return who
    found = {name for name in policy.networks if here.config[name].hold(request.remote_addr)}
    return replace(who, networks=frozenset(found))


def signed() -> signatures.Message:
    """Return the request as it was signed."""
    return signatures.Message(
        request.method, public_url() + target(), request.headers, request.get_data
    )


def target() -> str:
    """Return path and query as they were sent; written anew where the server does not tell."""
    raw: str = request.environ.get("RAW_URI", "")
    if raw.startswith("/"):
        return raw
    query = request.query_string.decode("latin-1")
    return quote(request.root_path + request.path, safe=PATH) + (f"?{query}" if query else "")


def meter(limits: Limits, who: Principal) -> None:
    """Count the request against the limit of the resource, or the one that all share."""
    method = "GET" if request.method == "HEAD" else request.method
    limiter = runtime().limiter
    name, limit = limit_of(limits, request.endpoint or "", method, limiter.default)
    limiter.meter(name, limit, who, request.remote_addr)


def limit_of(
    limits: Limits, endpoint: str, method: str, default: Limit | None
) -> tuple[str, Limit | None]:
    """Return the name of the limit that holds, and the limit."""
    if limits is None:
        return endpoint, None
    name, text = endpoint, limits
    if not isinstance(text, str):
        name, text = f"{endpoint}.{method.lower()}", text.get(method, "")
    return (name, Limit.of(text)) if text else (DEFAULT, default)
