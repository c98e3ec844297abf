"""The one place that touches flask-restful: its routing, nothing patched; and representations.

flask-restful's own ``Api`` replaces the app's error handlers by methods of an older signature,
which the next Flask no longer calls; ours leaves them alone, so every error of the app goes
through Flask's registry. Its representations know no 406, so ours take their place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flask_restful
from flask import Flask, Response, request

from glassware.api.parse import JSON, XML
from glassware.api.runtime import runtime
from glassware.media import json, negotiate, xml
from glassware.problems import NotAcceptableProblem

BaseResource = flask_restful.Resource
HTML = "text/html"
MEDIA = (JSON, XML, HTML)
#: What a client that only names the problem types, or text/xml, is given.
ALIASES = {
    JSON: JSON,
    XML: XML,
    "text/xml": XML,
    "application/problem+json": JSON,
    "application/problem+xml": XML,
}
OFFERED = tuple(ALIASES)


class Api(flask_restful.Api):
    """flask-restful's routing, which leaves the app as it is."""

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self.app = app

    def mediatypes_method(self) -> None:
        """Return nothing: what this returns stays on the resource classes, which apps share."""


def acceptable(others: Sequence[str] = ()) -> str:
    """Return the media type to answer in: JSON, XML, HTML or one of the others.

    Raises NotAcceptableProblem.
    """
    chosen = negotiate.choose(request.headers.get("Accept"), (*OFFERED, *others, HTML))
    if chosen is None:
        raise NotAcceptableProblem(
            "None of the media types in the Accept header can be made.",
            available=[*others, *MEDIA],
        )
    return ALIASES.get(chosen, chosen)


def represent(data: Any, status: int, headers: Mapping[str, str]) -> Response:
    """Return the document in the media type that the request asks for."""
    media = acceptable()
    if media == HTML:
        return runtime().pages.draw(data, status, headers)
    body = json.dumps(data) if media == JSON else xml.dumps(data)
    return Response(body, status=status, headers=headers, mimetype=media)
