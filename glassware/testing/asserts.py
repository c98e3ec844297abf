"""Assertions on what every answer must be."""

from __future__ import annotations

from typing import Any

from glassware.media import problem
from glassware.problems import Document, chain

ALWAYS = {"type", "title", "status", "service", "request_id", "instance"}


def assert_problem(response: Any, status: int, slug: str | None = None) -> Document:
    """Assert that the response is a complete problem, in JSON or XML; return its document.

    Takes an httpx2 response or a Flask test response.
    """
    body = response.content if hasattr(response, "content") else response.data
    assert response.status_code == status, f"{response.status_code}, not {status}: {body[:500]!r}"
    document = problem.parse(response.headers["Content-Type"], body)
    assert document is not None, f"no problem: {response.headers['Content-Type']} {body[:500]!r}"
    assert document["status"] == status
    assert set(document) >= ALWAYS, f"members missing: {ALWAYS - set(document)}"
    assert document["request_id"] == response.headers["X-Request-Id"]
    if slug is not None:
        assert document["type"].endswith(f"/problems/{slug}"), document["type"]
    for link in chain(document):
        assert "Traceback" not in str(link.get("detail"))
    return document
