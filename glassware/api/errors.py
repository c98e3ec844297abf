"""Every error becomes a problem, rendered here and nowhere else."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, request
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    SecurityError,
)

from glassware.api.api import HTML
from glassware.api.runtime import mount_url, runtime
from glassware.client import CutError
from glassware.media import json, negotiate, problem
from glassware.observe import context
from glassware.observe.edge import PROBLEM
from glassware.observe.logging import event
from glassware.problems import (
    BadRequestProblem,
    ConflictProblem,
    InternalProblem,
    InvalidProblem,
    MethodNotAllowedProblem,
    MisdirectedHostProblem,
    NotFoundProblem,
    Problem,
    StaleProblem,
    TooLargeProblem,
    UnavailableProblem,
    tree,
)

PROBLEM_JSON, PROBLEM_XML = "application/problem+json", "application/problem+xml"
XML_WISHES = {PROBLEM_XML, "application/xml", "text/xml"}
WISHES = (PROBLEM_JSON, "application/json", PROBLEM_XML, "application/xml", "text/xml", HTML)
log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Register the handlers in Flask's own registry."""
    app.register_error_handler(Problem, render)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(StaleDataError, from_stale)
    app.register_error_handler(IntegrityError, from_conflict)
    app.register_error_handler(OperationalError, from_outage)
    app.register_error_handler(PoolTimeout, from_outage)
    app.register_error_handler(DataError, from_range)
    app.register_error_handler(CutError, from_leaver)
    app.register_error_handler(Exception, from_fault)


def render(error: Problem) -> Response:
    """Return the problem in the medium asked for, JSON where none of ours is."""
    parts = runtime()
    document = error.document(
        base=mount_url(),
        service=parts.service,
        request_id=context.current().request_id,
        instance=quote(request.path),
    )
    request.environ[PROBLEM] = document
    wish = negotiate.choose(request.headers.get("Accept"), WISHES)
    if error.media_type:
        body, media = json.dumps(document), error.media_type
    elif wish == HTML:
        return parts.pages.problem(error, document)
    elif wish in XML_WISHES:
        body, media = problem.to_xml(document), PROBLEM_XML
    else:
        body, media = json.dumps(document), PROBLEM_JSON
    return Response(body, status=error.status, headers=error.headers, content_type=media)


def from_http(error: HTTPException) -> Any:
    """Render what Flask and werkzeug raise; a redirect or a response inside goes out as it is."""
    if error.response is not None or error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return error
    problem = translated(error, error.code)
    own = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    problem.headers = {**own, **problem.headers}
    return render(problem)


def translated(error: HTTPException, code: int) -> Problem:
    match error:
        case SecurityError():
            return MisdirectedHostProblem("The Host header does not name this service.")
        case MethodNotAllowed():
            allowed = sorted(error.valid_methods or ())
            return MethodNotAllowedProblem(
                f"{request.method[:20]} is not possible here.",
                allowed=allowed,
                headers={"Allow": ", ".join(allowed)},
            )
        case NotFound():
            return NotFoundProblem("There is no resource at this URL.")
        case RequestEntityTooLarge():
            limit = request.max_content_length
            return TooLargeProblem(f"The body is larger than {limit} bytes.", limit=limit)
    kind = next((kind for kind in tree() if kind.status == code), Problem)
    problem = kind(error.description)
    if kind is Problem:
        problem.status, problem.title = code, error.name
    return problem


def from_stale(_error: StaleDataError) -> Response:
    rollback()
    return render(StaleProblem("Somebody else changed the item at this very moment."))


def from_conflict(error: IntegrityError) -> Response:
    rollback()
    event(log, "write_conflicted", level=logging.WARNING, kind=type(error.orig).__name__)
    return render(ConflictProblem("It contradicts an item that is already there."))


def from_range(error: DataError) -> Response:
    """Answer for what the schema let through and the database cannot hold, such as a long text."""
    rollback()
    event(log, "value_refused", level=logging.WARNING, kind=type(error.orig).__name__)
    return render(InvalidProblem("A value is out of the range that can be kept."))


def from_outage(error: Exception) -> Response:
    rollback()
    runtime().metrics.database_errors.labels(type(error).__name__).inc()
    event(log, "database_failed", level=logging.ERROR, exc_info=error)
    return render(UnavailableProblem("The database does not answer.", headers={"Retry-After": "2"}))


def from_fault(error: Exception) -> Response:
    """Log the fault with its trace and say nothing of it to the caller but the request id."""
    rollback()
    event(log, "request_failed", level=logging.ERROR, exc_info=error)
    return render(InternalProblem("The service failed; its log has the story of this request id."))


def from_leaver(_error: CutError) -> Response:
    """Answer nobody: the client has left."""
    rollback()
    return render(BadRequestProblem("The client has left."))


def rollback() -> None:
    if (database := runtime().database) is not None:
        database.session.rollback()
