"""A provider whose answers have one member by another name, in JSON and in XML alike."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from werkzeug.test import run_wsgi_app

from glassware.media import json, xml
from glassware.testing import Mesh


def paths(document: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every member of every object."""
    if isinstance(document, list):
        for item in document:
            yield from paths(item, f"{path}/*")
    elif isinstance(document, dict):
        for name, value in document.items():
            yield f"{path}/{name}"
            yield from paths(value, f"{path}/{name}")


def renamed(document: Any, steps: list[str]) -> Any:
    """Return the document with another name for the members at the path."""
    first, *rest = steps
    if isinstance(document, list):
        return [renamed(item, rest) for item in document] if first == "*" else document
    if not isinstance(document, dict) or first not in document:
        return document
    if rest:
        return {**document, first: renamed(document[first], rest)}
    return {f"{name}_2" if name == first else name: value for name, value in document.items()}


@contextmanager
def mutant(app: Flask, route: str, path: str) -> Iterator[None]:
    """Rename the members at the path in what the app answers below the route."""
    sound = app.wsgi_app

    def mutated(environ: Any, start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(route):
            return sound(environ, start_response)
        asked = {**environ, "HTTP_ACCEPT": "application/json"}
        body, status, headers = run_wsgi_app(sound, asked)
        document = renamed(json.loads(b"".join(body)), path.split("/")[1:])
        media = "xml" if "xml" in environ["HTTP_ACCEPT"] else "json"
        # What is JSON by its own standard is JSON whatever is asked for.
        media = "json" if route.startswith("/.well-known") else media
        headers["Content-Type"] = f"application/{media}"
        del headers["Content-Length"]
        start_response(status, headers.to_wsgi_list())
        return [xml.dumps(document) if media == "xml" else json.dumps(document)]

    app.wsgi_app = mutated
    try:
        yield
    finally:
        app.wsgi_app = sound


def answered(mesh: Mesh, name: str, url: str, **headers: str) -> Any:
    """Return the document at the URL."""
    answer = mesh.client(name).get(url, headers=headers)
    assert answer.status_code == 200, answer.text
    return copy.deepcopy(answer.json())
