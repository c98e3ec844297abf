"""The services answer as their documents say, whatever they are sent (schemathesis)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .conftest import Suite

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: What a service answers on purpose, in development only.
FAULT = "/fault"


def items(suite: Suite) -> dict[str, Any]:
    """Return the id of something that is there, by the path that shows it."""
    client = suite.call(
        "auth",
        "POST",
        "/clients",
        headers=suite.headers,
        json={"client_id": f"c{uuid4().hex[:20]}", "scopes": []},
    ).json()
    job = suite.job()
    person = suite.add(f"{uuid4().hex}@example.org")
    task = suite.task()["url"].rpartition("/")[2]
    file = f"/tasks/{task}/attachments/a.txt"
    suite.call("tasks", "PUT", file, headers=suite.headers, content=b"a").raise_for_status()
    return {
        "/tasks/{id}": task,
        "/tasks/{id}/attachments": task,
        "/tasks/{id}/attachments/{name}": {"id": task, "name": "a.txt"},
        "/clients/{id}": client["id"],
        "/clients/{id}/secret": client["id"],
        "/users/{id}": person.rpartition("/")[2],
        "/jobs/{id}": job,
        "/jobs/{id}/retries": job,
        "/archives/{id}": job,
        "/archives/{id}/links": job,
        "/archives/{id}/file": job,
        "/problems/{slug}": "stale",
        "/static/{name}": "pages.css",
        "/schemas/{name}": "Problem.xsd",
    }


def served(app: Any) -> Any:
    """Return the app as a server runs it, which closes what it has sent; schemathesis does not."""

    def whole(environ: Any, start_response: Any) -> list[bytes]:
        body = app(environ, start_response)
        try:
            return [b"".join(body)]
        finally:
            if close := getattr(body, "close", None):
                close()

    return whole


@pytest.mark.parametrize("name", ["auth", "tasks", "archives"])
def test_every_answer_is_one_that_the_document_promises(suite: Suite, name: str) -> None:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", served(suite.apps[name]))
    reached = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path != FAULT:
            reached |= {(operation.label, status) for status in ask(suite, operation)}
    succeeded = {label for label, status in reached if status < 400}
    assert len(succeeded) >= len({label for label, _ in reached}) * 0.7, reached


def ask(suite: Suite, operation: Any) -> set[int]:
    """Send what the document allows, and what it does not; return the statuses answered."""
    statuses: set[int] = set()
    known = items(suite)

    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(), st.booleans())
    def run(case: Any, real: bool) -> None:
        if real:
            furnish(suite, case, known)
        response = case.call(headers=suite.headers)
        case.validate_response(response, checks=CHECKS)
        statuses.add(response.status_code)

    run()
    return statuses


def furnish(suite: Suite, case: Any, known: dict[str, Any]) -> None:
    """Put into the request what only those know who have read an answer."""
    if case.operation.path in known:
        ids = known[case.operation.path]
        more = ids if isinstance(ids, dict) else dict.fromkeys(case.path_parameters, ids)
        case.path_parameters = more
    if case.headers is not None and "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    if isinstance(case.body, dict) and "person" in case.body:
        case.body["person"] = suite.person
