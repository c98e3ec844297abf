"""The one place that touches flask-restful: routing and representations, nothing patched.

flask-restful's own ``Api`` replaces the app's error handlers by methods of an older signature,
which the next Flask no longer calls; ours leaves them alone, so every error of the app goes
through Flask's registry. It answers 406 when nothing acceptable is asked for, and keeps ``Vary``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flask_restful
from flask import Flask, Response, current_app, request
from flask.json.provider import JSONProvider

from glassware.api.parse import JSON, XML
from glassware.media import json, negotiate, xml
from glassware.problems import NotAcceptableProblem

BaseResource = flask_restful.Resource
MEDIA = (JSON, XML)
#: What a client that only names the problem types, or text/xml, is given.
ALIASES = {
    JSON: JSON,
    XML: XML,
    "text/xml": XML,
    "application/problem+json": JSON,
    "application/problem+xml": XML,
}


class StrictJSON(JSONProvider):
    """Flask's JSON by the chassis's reader and writer."""

    def dumps(self, obj: Any, **_: Any) -> str:
        return json.dumps(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return json.loads(s.encode() if isinstance(s, str) else s)


class Api(flask_restful.Api):
    """flask-restful's routing over the chassis's media types."""

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self.representations = {JSON: as_json, XML: as_xml}
        self.app = app
        app.json = StrictJSON(app)

    def make_response(self, data: Any, *args: Any, **kwargs: Any) -> Response:
        """Represent data in the media type that the request asks for."""
        response: Response = self.representations[acceptable()](data, *args, **kwargs)
        return response


def acceptable(others: Sequence[str] = ()) -> str:
    """Return the media type to answer in: JSON, XML or one of the others.

    Raises NotAcceptableProblem.
    """
    chosen = negotiate.choose(request.headers.get("Accept"), [*ALIASES, *others])
    if chosen is None:
        raise NotAcceptableProblem(
            "None of the media types in the Accept header can be made.",
            available=[*others, *MEDIA],
        )
    return ALIASES.get(chosen, chosen)


def as_json(data: Any, code: int, headers: Mapping[str, str] | None = None) -> Response:
    body = current_app.json.dumps(data).encode()
    return answer(body, JSON, code, headers)


def as_xml(data: Any, code: int, headers: Mapping[str, str] | None = None) -> Response:
    return answer(xml.dumps(data), XML, code, headers)


def answer(body: bytes, media: str, code: int, headers: Mapping[str, str] | None) -> Response:
    response = Response(body, status=code, headers=dict(headers or {}), mimetype=media)
    response.vary.add("Accept")
    return response
