"""A resource: what an author declares, and the one way of every request through it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

from flask import Response, request
from flask_marshmallow import Schema

from glassware.api import parse
from glassware.api.admission import Limits, admit
from glassware.api.api import BaseResource, acceptable, represent
from glassware.api.runtime import asked, runtime
from glassware.api.schema import made
from glassware.auth import Policy, Principal
from glassware.media.text import FORBIDDEN
from glassware.observe.edge import ROUTE
from glassware.problems import (
    InvalidParameterProblem,
    Problem,
    UnknownParameterProblem,
)

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
Result = Any


class Resource(BaseResource):
    """A URL with methods. Declare ``path`` and ``policy``; write ``get``, ``post`` and so on.

    A method takes the caller, then ``data`` where ``body`` names a schema for it, then the ids of
    the path by name. It returns an object for the ``answers`` schema to dump, or a plain document,
    or ``(value, status)`` or ``(value, status, headers)``, or None (204), or a Flask response.
    What it did to the database is committed once the answer has been made.
    """

    path: ClassVar[str]
    policy: ClassVar[Policy | Mapping[str, Policy]]
    #: How often a caller may come, as "10/minute": at all, or by method. None is without limit;
    #: whoever declares nothing shares ``limits.default``.
    limit: ClassVar[Limits] = ""
    #: The schema of the body of each POST, PUT and PATCH, and the media types it is read from.
    body: ClassVar[type[Schema] | None] = None
    reads: ClassVar[tuple[str, ...]] = (parse.JSON, parse.XML)
    #: The option with the most bytes of a body that ``files.upload`` reads as it is, of any type.
    upload: ClassVar[str] = ""
    #: The parts of a form that it reads, too, by ``call``: ``manifest`` with the body, and files.
    form: ClassVar[Mapping[str, str]] = MappingProxyType({})
    #: The schema of the answer.
    answers: ClassVar[type[Schema] | None] = None
    #: For the documentation: the statuses of the answer, at all or by method, and the problems that
    #: its own code raises.
    statuses: ClassVar[tuple[int, ...] | Mapping[str, tuple[int, ...]]] = (200,)
    problems: ClassVar[tuple[type[Problem], ...]] = ()
    #: The media types that it makes besides JSON and XML; ANY where a GET gives bytes as they were
    #: kept, whatever is asked for (RFC 9110 section 12.5.1).
    makes: ClassVar[tuple[str, ...]] = ()
    #: The query parameters that it knows.
    parameters: ClassVar[frozenset[str]] = frozenset()
    #: Whether a GET is always answered by the same document.
    constant: ClassVar[bool] = False
    #: The hook that a class must have for a method to exist, where it is not named as the method.
    hooks: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        offered = cls.methods or set()
        cls.methods = {m for m in offered if hasattr(cls, cls.hooks.get(m, m.lower()))}

    @classmethod
    def policy_for(cls, method: str) -> Policy | None:
        """Return the policy of a method; HEAD goes by GET's."""
        if isinstance(cls.policy, Policy):
            return cls.policy
        return cls.policy.get("GET" if method == "HEAD" else method)

    def dispatch_request(self, **ids: Any) -> Response:
        """Admit the caller, check the parameters, call the method, make the answer, commit."""
        request.environ[ROUTE] = self.path
        method = "GET" if request.method == "HEAD" else request.method
        if parse.ANY not in self.makes:
            acceptable(self.makes)
        elif method not in SAFE:
            acceptable()
        if self.upload:
            request.max_content_length = runtime().config[self.upload]
        who = admit(self.policy_for(method), self.limit)
        check_parameters(self.known_parameters())
        response = self.respond(method, who, ids)
        if method not in SAFE:
            commit()
        return response

    def respond(self, method: str, who: Principal, ids: Mapping[str, Any]) -> Response:
        return self.answer(self.call(method, who, ids))

    def known_parameters(self) -> frozenset[str]:
        return self.parameters

    def call(self, method: str, who: Principal, ids: Mapping[str, Any]) -> Result:
        handler = getattr(self, method.lower())
        if self.body is None or method not in ("POST", "PUT", "PATCH"):
            return handler(who, **ids)
        schema = made(self.body)
        data = parse.load(schema, parse.body(asked(), schema, self.reads))
        return handler(who, data, **ids)

    def answer(self, result: Result) -> Response:
        """Return the whole response, so that nothing is left to fail after the commit."""
        if request.method not in SAFE:
            flush()
        if isinstance(result, Response):
            return result
        value, status, headers = complete(result)
        if value is None:
            return Response(status=204 if status == 200 else status, headers=headers)
        document = made(self.answers).dump(value) if self.answers else value
        return represent(document, status, headers)


def complete(result: Result) -> tuple[Any, int, dict[str, str]]:
    """Return ``(value, status, headers)`` for whatever of it a method returned."""
    if not isinstance(result, tuple):
        return result, 200, {}
    value, status, *headers = result
    return value, status, headers[0] if headers else {}


def check_parameters(known: frozenset[str]) -> None:
    """Raise for a query parameter that is unknown, given twice, or not text as bodies have it."""
    if not request.query_string:
        return
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError:
        raise InvalidParameterProblem("The query is not UTF-8.") from None
    for name, values in request.args.lists():
        if name not in known:
            raise UnknownParameterProblem(
                f"There is no parameter {name[: parse.MAX_NAME]!r} here.", known=sorted(known)
            )
        if len(values) > 1:
            raise InvalidParameterProblem("A parameter is given twice.", errors={name: ["Twice."]})
        if FORBIDDEN.search(values[0]):
            raise InvalidParameterProblem(
                "A parameter holds control characters.", errors={name: ["Control characters."]}
            )


def flush() -> None:
    """Write to the database what the answer is about to speak of, or have it ready to be."""
    here = runtime()
    if here.database is None or (here.singles is not None and here.singles.stage()):
        return
    here.database.session.flush()


def commit() -> None:
    here = runtime()
    if here.singles is not None:
        here.singles.commit()
    elif here.database is not None:
        here.database.session.commit()
