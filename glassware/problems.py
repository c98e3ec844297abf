"""Problems: the one shape of every error (RFC 9457).

Raise a problem anywhere; it is rendered once, at the edge, as ``application/problem+json`` or
``application/problem+xml``::

    Problem
    ├── BadRequestProblem 400
    │   ├── MalformedBodyProblem        the body is not JSON or XML
    │   ├── InvalidKeyProblem           an Idempotency-Key that cannot be one
    │   ├── UnknownParameterProblem     a query parameter nobody declared
    │   ├── InvalidParameterProblem     a declared one with a value that cannot be
    │   └── InvalidCursorProblem        a cursor of another listing, or a forged one
    ├── UnauthorizedProblem 401         no token, or one that does not hold
    ├── ForbiddenProblem 403            a token that holds but does not reach this far
    ├── NotFoundProblem 404
    ├── MethodNotAllowedProblem 405
    ├── NotAcceptableProblem 406
    ├── ConflictProblem 409
    │   └── StillRunningProblem         the request with this Idempotency-Key is being answered
    ├── StaleProblem 412                If-Match names a version that is no longer current
    ├── TooLargeProblem 413
    ├── UnsupportedMediaTypeProblem 415
    ├── MisdirectedHostProblem 421      the Host header is not one of ours
    ├── InvalidProblem 422              well-formed, but the schema refuses it
    │   └── KeyReusedProblem            an Idempotency-Key of another request
    ├── ConditionRequiredProblem 428    a change without If-Match
    ├── TooManyRequestsProblem 429
    │   └── TooManyJobsProblem          the caller's jobs are not finished yet
    ├── InternalProblem 500
    ├── UpstreamProblem 502             a neighbour answered with a problem of its own
    ├── UnavailableProblem 503
    │   ├── UnreachableProblem          a neighbour does not answer at all
    │   └── KeysUnavailableProblem      the issuer's keys have never been seen
    └── UpstreamTimeoutProblem 504
        └── OutOfTimeProblem            the caller waits no longer, so the neighbour is not asked
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

Messages = Mapping[str, Sequence[str]]
Document = dict[str, Any]

#: A chain of causes longer than this is cut: it is a loop of services calling each other.
MAX_CHAIN = 16


class Problem(Exception):
    """An error that explains itself.

    ``detail`` says what was wrong and what to do; ``errors`` maps a field (dotted when nested) or
    a parameter to its messages; ``cause`` is the document of the upstream problem that led to
    this one; ``headers`` go onto the response; further keywords become extension members
    (RFC 9457 section 3.2).
    """

    status: int = 500
    title: str = "Problem"
    slug: ClassVar[str] = "problem"
    advice: ClassVar[str] = "Read the detail, then try again."
    #: Set by a protocol that wants its errors in a media type of its own (RFC 6749 section 5.2).
    media_type: ClassVar[str] = ""

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Messages | None = None,
        cause: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.errors = errors
        self.cause = cause
        self.headers = dict(headers or {})
        self.extensions = extensions

    def document(
        self, *, base: str = "", service: str = "", request_id: str = "", instance: str = ""
    ) -> Document:
        """Return the members of RFC 9457 section 3.1 and the house's own, absent ones left out.

        ``base`` is the service's public URL, under which ``/problems/<slug>`` explains the type.
        """
        members = {
            "type": f"{base}/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "service": service,
            "request_id": request_id,
            "errors": {name: list(texts) for name, texts in (self.errors or {}).items()},
            **self.extensions,
            "cause": shorten(self.cause) if self.cause else None,
        }
        return {name: value for name, value in members.items() if value not in (None, "", {})}


def shorten(document: Mapping[str, Any], limit: int = MAX_CHAIN) -> Document:
    """Return the document with its chain of causes cut after ``limit`` links."""
    copy = dict(document)
    cause = copy.pop("cause", None)
    if isinstance(cause, Mapping) and limit > 1:
        copy["cause"] = shorten(cause, limit - 1)
    return copy


def chain(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the document and each problem that caused it, nearest first."""
    link: Any = document
    for _ in range(MAX_CHAIN):
        if not isinstance(link, Mapping):
            return
        yield link
        link = link.get("cause")


def tree(root: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Yield every kind of problem known to the process, each before its own kinds."""
    for kind in root.__subclasses__():
        yield kind
        yield from tree(kind)


class BadRequestProblem(Problem):
    """The request cannot be understood."""

    status, title, slug = HTTPStatus.BAD_REQUEST, "Bad request", "bad-request"
    advice = "Correct the request as the detail says; repeating it unchanged gives the same answer."


class MalformedBodyProblem(BadRequestProblem):
    """The body is not well-formed JSON or XML."""

    title, slug = "Malformed body", "malformed-body"
    advice = "Send well-formed UTF-8 JSON (RFC 8259) or XML without a DOCTYPE."


class InvalidKeyProblem(BadRequestProblem):
    """The Idempotency-Key cannot be one."""

    title, slug = "Invalid key", "invalid-key"
    advice = "Make a key of 1 to 255 visible ASCII characters, such as a UUID, for each request."


class UnknownParameterProblem(BadRequestProblem):
    """A query parameter that the resource does not know; ``known`` lists those it does."""

    title, slug = "Unknown parameter", "unknown-parameter"
    advice = "Use one of the parameters listed in `known`."


class InvalidParameterProblem(BadRequestProblem):
    """A query parameter has a value that it cannot take."""

    title, slug = "Invalid parameter", "invalid-parameter"
    advice = "Correct the parameters named in `errors`."


class InvalidCursorProblem(BadRequestProblem):
    """The cursor was not issued for this listing."""

    title, slug = "Invalid cursor", "invalid-cursor"
    advice = "Follow the `next` links as they are; start over without a cursor."


class UnauthorizedProblem(Problem):
    """The request carries no credentials, or none that hold (RFC 6750 section 3)."""

    status, title, slug = HTTPStatus.UNAUTHORIZED, "Not authenticated", "unauthorized"
    advice = "Get a token from the auth service and send it as `Authorization: Bearer <token>`."


class ForbiddenProblem(Problem):
    """The credentials hold but do not reach this far; ``required`` says what would."""

    status, title, slug = HTTPStatus.FORBIDDEN, "Forbidden", "forbidden"
    advice = "Ask for a token with the scope named in `required`."


class NotFoundProblem(Problem):
    """There is no such resource, or none that the caller may know of."""

    status, title, slug = HTTPStatus.NOT_FOUND, "Not found", "not-found"
    advice = "Check the URL; the root of the service lists its resources."


class MethodNotAllowedProblem(Problem):
    """The resource does not have this method."""

    status, title, slug = HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed", "method-not-allowed"
    advice = "Use one of the methods in the Allow header."


class NotAcceptableProblem(Problem):
    """None of the media types asked for can be made; ``available`` lists those that can."""

    status, title, slug = HTTPStatus.NOT_ACCEPTABLE, "Not acceptable", "not-acceptable"
    advice = "Ask for one of the media types in `available`, or send no Accept header."


class ConflictProblem(Problem):
    """The change contradicts what is there."""

    status, title, slug = HTTPStatus.CONFLICT, "Conflict", "conflict"
    advice = "Read the resource again and decide anew."


class StillRunningProblem(ConflictProblem):
    """The first request with this Idempotency-Key is still being answered."""

    title, slug = "Still running", "still-running"
    advice = "Repeat the request after the time in Retry-After; it is given the first one's answer."


class StaleProblem(Problem):
    """If-Match names a version that is no longer the current one (RFC 9110 section 13.1.1)."""

    status, title, slug = HTTPStatus.PRECONDITION_FAILED, "Stale version", "stale"
    advice = "Read the resource again, merge your change, and send it with the new ETag."


class TooLargeProblem(Problem):
    """The request, or what it asks for, exceeds a limit."""

    status, title, slug = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too large", "too-large"
    advice = "Send less at once; the detail names the limit."


class UnsupportedMediaTypeProblem(Problem):
    """The body is of a type that the resource does not read; ``supported`` lists those it does."""

    status, title, slug = (
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Unsupported media type",
        "unsupported-media-type",
    )
    advice = "Send one of the media types in `supported`, named in Content-Type."


class MisdirectedHostProblem(Problem):
    """The Host header names a host that this service does not answer for."""

    status, title, slug = HTTPStatus.MISDIRECTED_REQUEST, "Unknown host", "unknown-host"
    advice = "Call the service by its public name, or add the name to `server.trusted_hosts`."


class InvalidProblem(Problem):
    """The body is well-formed, but its content is not valid; ``errors`` says where."""

    status, title, slug = HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid content", "invalid"
    advice = "Correct the fields named in `errors`."


class KeyReusedProblem(InvalidProblem):
    """The Idempotency-Key was used for another request."""

    title, slug = "Key used for another request", "key-reused"
    advice = "Make a new key for each request; repeat one only with the very same content."


class ConditionRequiredProblem(Problem):
    """A change must say which version it changes (RFC 6585 section 3)."""

    status, title, slug = HTTPStatus.PRECONDITION_REQUIRED, "If-Match required", "if-match-required"
    advice = "Read the resource, then send the change with `If-Match: <its ETag>`."


class TooManyRequestsProblem(Problem):
    """The caller asks too often."""

    status, title, slug = HTTPStatus.TOO_MANY_REQUESTS, "Too many requests", "too-many-requests"
    advice = "Wait for as long as Retry-After says."


class TooManyJobsProblem(TooManyRequestsProblem):
    """The caller has as many unfinished jobs as one may have."""

    title, slug = "Too many jobs", "too-many-jobs"
    advice = "Wait until one of your jobs is finished, or cancel one."


class InternalProblem(Problem):
    """A fault of the service; its log has the story under the request id."""

    status, title, slug = HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error", "internal"
    advice = "Give the request_id to the operators of the service named in `service`."


class UpstreamProblem(Problem):
    """A neighbour answered with a problem, which is the ``cause``."""

    status, title, slug = HTTPStatus.BAD_GATEWAY, "A neighbour failed", "upstream"
    advice = "Read `cause`: it is the neighbour's own problem, as it was sent."
    #: What the neighbour answered, None where that was no answer at all; for callers, not the wire.
    upstream_status: int | None = None


class UnavailableProblem(Problem):
    """The service cannot do this now."""

    status, title, slug = HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", "unavailable"
    advice = "Try again after the time in Retry-After."


class UnreachableProblem(UnavailableProblem):
    """A neighbour does not answer."""

    title, slug = "A neighbour is unreachable", "unreachable"
    advice = "Try again soon; the operators see in `detail` which neighbour it is, and why."


class KeysUnavailableProblem(UnavailableProblem):
    """Tokens cannot be checked yet: the issuer's keys have never been seen."""

    title, slug = "Keys unavailable", "keys-unavailable"
    advice = "Try again after the time in Retry-After; the operators look at the auth service."


class UpstreamTimeoutProblem(Problem):
    """A neighbour did not answer in time."""

    status, title, slug = HTTPStatus.GATEWAY_TIMEOUT, "A neighbour timed out", "upstream-timeout"
    advice = "Try again; the operators see the slow neighbour's name in `detail`."


class OutOfTimeProblem(UpstreamTimeoutProblem):
    """The caller waits no longer, so the neighbour was not asked."""

    title, slug = "Out of time", "out-of-time"
    advice = "Give the request more time in X-Request-Timeout."
