"""The OpenAPI 3.1 document of a service, generated from its resources: nothing is written by hand.

What it leaves out: HEAD and OPTIONS, which go by GET, and the HTML that browsers are given, which
is for people and changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from flask import Flask
from werkzeug.routing import Rule

from glassware.api import Resource, runtime
from glassware.api.system import meaning
from glassware.media.problem import NAMESPACE
from glassware.openapi.operation import Operation
from glassware.openapi.schema import VERSION, Converter, Node
from glassware.problems import Problem

CONVENTIONS = """\
JSON or XML, in and out, by `Content-Type` and `Accept`; JSON where there is no `Accept`. Each error
is a problem (RFC 9457), whose `type` is the URL of a page about it. A change of an item needs
`If-Match` with its `ETag`. `X-Request-Id` comes back on each answer, and stands on each line that
the services log for the request. For XML there is an XML Schema of each schema, at `/schemas`."""
HEADERS = {
    "ETag": "The version of the item, for If-Match and If-None-Match.",
    "Location": "The URL of what was made.",
    "Link": 'The next page: `<url>; rel="next"` (RFC 8288).',
}
TEXT: Node = {"type": "string"}
PROBLEM_SCHEMA: Node = {
    "type": "object",
    "description": "An error that explains itself (RFC 9457); kinds have members of their own.",
    "properties": {
        "type": {**TEXT, "description": "The URL of a page about this kind of problem."},
        "title": {**TEXT, "description": "The kind of problem."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {**TEXT, "description": "What was wrong, and what to do."},
        "instance": {**TEXT, "description": "The path that was asked for."},
        "service": {**TEXT, "description": "The service that answers so."},
        "request_id": {**TEXT, "description": "The request, in the logs."},
        "errors": {
            "type": "object",
            "description": "By field or parameter, what is wrong with it.",
            "additionalProperties": {
                "type": "array",
                "items": {**TEXT, "xml": {"name": "i"}},
                "xml": {"wrapped": True},
            },
        },
        "cause": {
            "$ref": "#/components/schemas/Problem",
            "description": "The problem of another service that led to this one.",
        },
    },
    "required": ["type", "title", "status", "service", "request_id"],
}


def routes(app: Flask) -> Iterator[tuple[Rule, type[Resource], str]]:
    """Yield each route with its resource and a method of it, by path."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        resource = vars(app.view_functions[rule.endpoint])["view_class"]
        for method in sorted(resource.methods - {"HEAD", "OPTIONS"}):
            yield rule, resource, method


def document(app: Flask) -> Node:
    """Return the document of an app."""
    with app.app_context():
        return Document(app).whole()


class Document:
    """The document in the making: its paths, and the components that they refer to."""

    def __init__(self, app: Flask) -> None:
        self.parts, config = runtime(), runtime().config
        self.url = config["service.public_url"].rstrip("/")
        self.schemas = Converter(self.url or f"http://127.0.0.1:{config['server.port']}")
        self.responses: dict[str, Node] = {}
        self.scopes: set[str] = set()
        self.tags: dict[str, str] = {}
        self.paths: dict[str, Node] = defaultdict(dict)
        for rule, resource, method in routes(app):
            self.add(Operation(rule, resource, method, config, self.schemas))

    def add(self, operation: Operation) -> None:
        kinds = defaultdict(list)
        for kind in dict.fromkeys(operation.problems()):
            kinds[str(int(kind.status))].append(kind)
        problems = {status: self.problem(kinds[status]) for status in sorted(kinds)}
        other = {"default": self.problem([Problem])}
        self.paths[operation.path][operation.method.lower()] = {
            **operation.node(),
            "responses": {**operation.answers(), **problems, **other},
        }
        self.scopes |= {name for scopes in operation.policy.scopes for name in scopes}
        self.tags.setdefault(operation.tag, operation.words()[0])

    def problem(self, kinds: list[type[Problem]]) -> Node:
        """Return a reference to the response that is any of these kinds."""
        name = ".".join(kind.slug for kind in kinds)
        if name not in self.responses:
            self.responses[name] = self.problem_response(kinds)
        return {"$ref": f"#/components/responses/{name}"}

    def problem_response(self, kinds: list[type[Problem]]) -> Node:
        words = [f"**{kind.title}**: {meaning(kind)} {kind.advice}" for kind in kinds]
        node = {"$ref": "#/components/schemas/Problem"}
        contents: Node = {
            "application/problem+json": {"schema": node, "example": self.example(kinds[0])},
            "application/problem+xml": {
                "schema": {**node, "xml": {"name": "problem", "namespace": NAMESPACE}}
            },
            **{kind.media_type: {"schema": node} for kind in kinds if kind.media_type},
        }
        return {"description": "\n\n".join(words), "content": contents}

    def example(self, kind: type[Problem]) -> Node:
        return {
            "type": f"{self.schemas.base}/problems/{kind.slug}",
            "title": kind.title,
            "status": int(kind.status),
            "detail": kind.advice,
            "instance": "/",
            "service": self.parts.service,
            "request_id": "01994a2b7c3d7e4f8a5b6c7d8e9f0a1b",
        }

    def whole(self) -> Node:
        parts = self.parts
        # Last, as people look for the service's own.
        tags = {name: words for name, words in self.tags.items() if name != "service"}
        tags["service"] = "What every service has."
        return {
            "openapi": VERSION,
            "info": {
                "title": parts.service.capitalize(),
                "summary": parts.summary,
                "description": CONVENTIONS,
                "version": parts.release,
            },
            "servers": [{"url": self.url or "/"}],
            "tags": [{"name": name, "description": words} for name, words in tags.items()],
            "paths": dict(self.paths),
            "components": {
                "schemas": dict(
                    sorted({**self.schemas.components, "Problem": PROBLEM_SCHEMA}.items())
                ),
                "responses": dict(sorted(self.responses.items())),
                "headers": {
                    name: {"description": words, "schema": TEXT} for name, words in HEADERS.items()
                },
                "securitySchemes": self.security_schemes(),
            },
        }

    def security_schemes(self) -> Node:
        issuer = self.parts.config["auth.issuer"].rstrip("/")
        flow = {
            "tokenUrl": f"{issuer}/oauth/token",
            "scopes": dict.fromkeys(sorted(self.scopes), ""),
        }
        return {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": f"An access token of {issuer} (RFC 9068): people get one at "
                f"{issuer}/login, programs by the flow oauth2.",
            },
            "oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}},
        }
