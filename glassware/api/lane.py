"""The lane: requests that are nothing unusual, answered before Flask, as Flask would answer them.

A request that the lane does not know in every part goes the plain way, as does one that is refused:
there it is said why. So the lane holds no rule of its own. Token, policy, limit, statement and the
resource's own code are those of the plain way, which is its oracle in the tests.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from flask import Flask, Response, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import SecurityError
from werkzeug.sansio.utils import get_host

from glassware.api.admission import limit_of
from glassware.api.api import ALIASES, HTML, OFFERED
from glassware.api.declare import endpoint
from glassware.api.errors import PROBLEM_JSON, WISHES, XML_WISHES
from glassware.api.plans import read
from glassware.api.resource import Resource
from glassware.api.runtime import Runtime
from glassware.api.schema import UUID_PATTERN
from glassware.api.wishes import Made, Make, Met, Wish
from glassware.api.works import work
from glassware.auth import ANONYMOUS, Policy, Principal
from glassware.limits.headers import standing
from glassware.limits.rate import HEADERS
from glassware.limits.windows import Limit
from glassware.media import json, negotiate
from glassware.observe import access
from glassware.observe.context import Trace, bind
from glassware.observe.edge import BEGUN, ROUTE, incoming, told
from glassware.observe.logging import event
from glassware.problems import Problem, UnauthorizedProblem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MEDIA = (*OFFERED, HTML)
#: What a problem is not JSON for.
OTHERS = XML_WISHES | {HTML}
#: Refusals, and a database that does not answer.
EXPECTED = (Problem, SecurityError, ValueError, DBAPIError)
#: Stand in a problem, where it is made once, for what differs by request.
PLACE, NUMBER = b"@instance@", b"@request_id@"
#: Where a request keeps what the resource's own code has come to.
MET = "glassware.met"
#: Answers without a body, and without its length.
BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
Refusal = tuple[bytes, list[tuple[str, str]], str]
log, lines = logging.getLogger(__name__), logging.getLogger("glassware.access")


class Way(NamedTuple):
    """What the lane answers: what is asked of its callers, and what makes the answer."""

    method: str
    route: str
    policy: Policy
    limit: tuple[str, Limit | None]
    make: Make


class Answer(NamedTuple):
    """An answer, whom it is for, and the kinds of the problem that it is."""

    made: Made
    limits: Iterable[tuple[str, str]]
    who: Principal
    problem: str = ""


class Lane:
    """Answers what it can, and hands everything else to the app."""

    def __init__(
        self, flask: Flask, app: WSGIApplication, here: Runtime, resources: Iterable[type[Resource]]
    ) -> None:
        self.app, self.here, self.service = app, here, here.service
        self.exact: dict[tuple[str, str], Way] = {}
        self.items: dict[tuple[str, str], Way] = {}
        for kind in resources:
            for method in kind.methods or ():
                self.add(flask, kind, method)
        flask.before_request(outcome)
        self.base = lru_cache(256)(self.base_of)
        self.shared = bool(here.config["server.cors_origins"])
        vary = ("Vary", "Origin, Accept" if self.shared else "Accept")
        self.standing = {
            pair: [*standing(*pair), vary] for pair in product((False, True), repeat=2)
        }
        self.refusal = lru_cache(256)(self.refusal_at)

    def add(self, flask: Flask, kind: type[Resource], method: str) -> None:
        """Take a method of a resource into the lane, if it can be."""
        policy = kind.policy_for(method)
        if policy is None or not policy.by_token:
            return
        if (make := self.plan(flask, kind, method)) is None:
            return
        limit = limit_of(kind.limit, endpoint(kind), method, self.here.limiter.default)
        way = Way(method, kind.path, policy, limit, make)
        before, _, variable = kind.path.partition("<")
        (self.items if variable else self.exact)[method, before] = way

    def plan(self, flask: Flask, kind: type[Resource], method: str) -> Make | None:
        config = self.here.config
        if method == "GET":
            return read(flask, self.here, kind) if config["fast.reads"] else None
        return work(flask, self.here, kind, method) if config["fast.writes"] else None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if (way := self.way(environ)) is not None:
            began = time.monotonic()
            self.here.metrics.began()
            trace = incoming(environ, self.service)
            try:
                with bind(trace):
                    answer = self.answer(way, environ, trace)
            except Met as met:
                environ[MET], environ[ROUTE] = met.outcome, way.route
                answer = None
            except EXPECTED:  # the plain way says what is wrong
                answer = None
            except Exception as error:
                event(log, "lane_failed", level=logging.ERROR, exc_info=error)
                answer = None
            if answer is not None:
                return self.send(way, answer, environ, trace, began, start_response)
            environ[BEGUN] = trace, began
        return self.app(environ, start_response)

    def way(self, environ: WSGIEnvironment) -> Way | None:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        way = self.exact.get((method, path))
        if way is None and (way := self.items.get((method, path[:-36]))) is not None:
            way = way if UUID_PATTERN.fullmatch(path[-36:]) else None
        if (
            way is None
            or environ.get("SCRIPT_NAME")
            or not environ.get("QUERY_STRING", "").isascii()
        ):
            return None
        if self.shared and "HTTP_ORIGIN" in environ:
            return None
        signed = self.here.signatures is not None and "HTTP_SIGNATURE_INPUT" in environ
        return None if signed else way

    def answer(self, way: Way, environ: WSGIEnvironment, trace: Trace) -> Answer | None:
        """Return the answer, None where the plain way must give it. Raises where it is refused."""
        accept, who = environ.get("HTTP_ACCEPT"), ANONYMOUS
        media = ALIASES.get(negotiate.choose(accept, MEDIA) or "")
        if media is None:
            return None
        base = self.base(
            environ["wsgi.url_scheme"],
            environ.get("HTTP_HOST"),
            environ["SERVER_NAME"],
            environ["SERVER_PORT"],
        )
        if not way.policy.is_public:
            who = self.here.verifier.principal(environ.get("HTTP_AUTHORIZATION")) or ANONYMOUS
            environ["glassware.principal"] = who
        welcome = way.policy.permits(who, None)
        if not welcome and (who.known or negotiate.choose(accept, WISHES) in OTHERS):
            return None
        counted = self.here.limiter.ask(*way.limit, who, environ.get("REMOTE_ADDR"))
        limits: Mapping[str, str] = {}
        if counted is not None:
            if not counted[0]:
                return None  # not counted either
            environ[HEADERS] = limits = counted[2]
        path = environ["PATH_INFO"]
        if not welcome:
            return self.refused(way, path, base, trace, limits)
        made = way.make(Wish(path, environ.get("QUERY_STRING", ""), media, base, who, environ))
        return None if made is None else Answer(made, limits.items(), who)

    def refused(
        self, way: Way, path: str, base: str, trace: Trace, limits: Mapping[str, str]
    ) -> Answer:
        """Return the 401 for a request without a token."""
        body, headers, problem = self.refusal(way.policy, base)
        body = body.replace(PLACE, path.encode()).replace(NUMBER, trace.request_id.encode())
        made = Made("401 UNAUTHORIZED", headers, body)
        return Answer(made, limits.items(), ANONYMOUS, problem)

    def refusal_at(self, policy: Policy, base: str) -> Refusal:
        """Return what is the same of all such answers."""
        try:
            policy.admit(ANONYMOUS)
        except UnauthorizedProblem as problem:
            names = {"request_id": NUMBER.decode(), "instance": PLACE.decode()}
            document = problem.document(base=base, service=self.service, **names)
            headers = [*problem.headers.items(), ("Content-Type", PROBLEM_JSON)]
            kinds = json.dumps(told(document)["problem"]).decode()
            return json.dumps(document), headers, kinds
        raise LookupError("nobody is refused")

    def base_of(self, scheme: str, host: str | None, server: str, port: str) -> str:
        """Return the URL of the service. Raises SecurityError for a host that is not ours."""
        config = self.here.config
        host = get_host(scheme, host, (server, int(port)), config["server.trusted_hosts"])
        return (config["service.public_url"] or f"{scheme}://{host}").rstrip("/")

    def send(
        self,
        way: Way,
        answer: Answer,
        environ: WSGIEnvironment,
        trace: Trace,
        began: float,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """Start the response, count and log it, and return its body."""
        (status, own, body, query, whole), limits, who, problem = answer
        code, length = int(status[:3]), len(body)
        headers = [("X-Request-Id", trace.request_id), *own]
        if code not in BODILESS:
            headers.append(("Content-Length", str(length)))
        headers += limits
        tagged = bool(own) and own[0][0] == "ETag"
        common = self.standing[tagged, environ["wsgi.url_scheme"] == "https"]
        if whole:
            there = {name for name, _ in own}
            common = [pair for pair in common if pair[0] not in there]
        headers += common
        start_response(status, headers)
        seconds = round(time.monotonic() - began, 6)
        self.here.metrics.answered(way.method, way.route, code, seconds, length)
        ids = who.subject, who.client_id, trace.parent_id
        path = environ["PATH_INFO"]
        entry = (way.method, path, way.route, query, code, length, seconds, *ids, problem)
        access.write(lines, trace, access.Entry(*entry))
        return [body]


def outcome() -> Response | None:
    """Answer a request whose resource has run already by what it came to."""
    found = request.environ.pop(MET, None)
    if isinstance(found, Exception):
        raise found
    answer: Response | None = found
    return answer
