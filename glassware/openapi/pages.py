"""The pages that browsers are given in the place of JSON and XML: drawn from the same document.

A page says nothing that the document does not, its forms are drawn from the OpenAPI document, and
it has no script or style but those of ``static``, which its policy holds browsers to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Response, current_app, request
from jinja2 import Environment, PackageLoader
from werkzeug.exceptions import HTTPException

from glassware.api import Collection, Resource, runtime
from glassware.api.declare import endpoint
from glassware.api.runtime import link, mount_url
from glassware.api.system import Root
from glassware.auth import ANONYMOUS
from glassware.config import Config
from glassware.openapi import show, spec
from glassware.openapi.neighbours import Neighbours
from glassware.problems import Document, MethodNotAllowedProblem, Problem, chain

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self' {issuer}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Pages:
    """Draws the pages of one app."""

    def __init__(self, config: Config, neighbours: Neighbours) -> None:
        self.neighbours = neighbours
        self.issuer = config["auth.issuer"].rstrip("/")
        parts = urlsplit(self.issuer)
        self.headers = {
            "Content-Security-Policy": CSP.format(issuer=f"{parts.scheme}://{parts.netloc}")
        }
        self.templates = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters |= show.FILTERS
        self.templates.tests |= show.TESTS
        self.known: Document = {}

    def document(self) -> Document:
        """Return the OpenAPI document, made when it is first asked for."""
        if not self.known:
            self.known = spec.document(current_app)
        return self.known

    def draw(self, data: Any, status: int, headers: Mapping[str, str]) -> Response:
        """Return the page of what a resource answers."""
        resource = resource_at_hand()
        assert resource is not None
        name = "item.html"
        if resource is Root:
            name = "root.html"
        elif request.method == "GET" and isinstance(data, dict) and "items" in data:
            name = "listing.html"
        facts = {"data": data, "etag": headers.get("ETag", ""), **self.about(resource)}
        if resource is Root:
            kinds = [(resource_named(name), url) for name, url in data["resources"].items()]
            facts["entries"] = sorted(kinds, key=lambda entry: not issubclass(entry[0], Collection))
        return self.page(name, status, headers, **facts)

    def problem(self, error: Problem, document: Document) -> Response:
        """Return the page of a problem, or the forms of a resource that cannot be read."""
        resource = resource_at_hand()
        if resource and request.method == "GET" and isinstance(error, MethodNotAllowedProblem):
            return self.page("writer.html", error.status, error.headers, **self.about(resource))
        facts = {
            "problem": document,
            "causes": list(chain(document))[1:],
            "advice": error.advice,
            "policy": str(resource.policy_for(request.method) or "") if resource else "",
        }
        return self.page("problem.html", error.status, error.headers, **facts)

    def docs(self) -> Response:
        """Return the interactive page of the OpenAPI document."""
        return self.page("docs.html", 200, {})

    def page(self, name: str, status: int, headers: Mapping[str, str], **facts: Any) -> Response:
        parts, base = runtime(), mount_url()
        text = self.templates.get_template(name).render(
            service=parts.service,
            summary=parts.summary,
            release=parts.release,
            base=base,
            here=base + request.path,
            issuer=self.issuer,
            status=int(status),
            args=request.args,
            asked=asked,
            health=parts.checks.ready,
            neighbours=self.neighbours.health,
            crumbs=list(crumbs()),
            **facts,
        )
        return Response(
            text, status=status, headers={**headers, **self.headers}, mimetype="text/html"
        )

    def about(self, resource: type[Resource]) -> Document:
        """Return what the page of a resource is drawn from, besides its answer."""
        return {
            "resource": resource,
            "operations": dict(self.operations(resource)),
            "schemas": self.document()["components"]["schemas"],
            "below": list(below()),
        }

    def operations(self, resource: type[Resource]) -> Iterator[tuple[str, Document]]:
        """Yield the operations of the resource, as OpenAPI has them, with whether to offer them."""
        who = request.environ.get("glassware.principal")
        for methods in self.document()["paths"].values():
            for name, operation in methods.items():
                if operation["operationId"] == f"{name}_{endpoint(resource)}":
                    policy = resource.policy_for(name.upper())
                    allowed = policy is not None and policy.permits(who or ANONYMOUS, None)
                    yield name.upper(), {**operation, "allowed": allowed}


def asked(**changes: str | None) -> str:
    """Return the URL of the listing as it is asked for now, but for the changes."""
    free = {name: value for name, value in request.args.items() if name != "cursor"}
    given = {name: value for name, value in {**free, **changes}.items() if value}
    return mount_url() + request.path + (f"?{urlencode(given)}" if given else "")


def below() -> Iterator[tuple[type[Resource], str]]:
    """Yield each resource that belongs to the item at hand, with its URL."""
    rule, ids = request.url_rule, request.view_args
    for other in current_app.url_map.iter_rules():
        if rule and ids and other.rule.startswith(f"{rule.rule}/") and other.arguments == {*ids}:
            yield resource_named(other.endpoint), link(other.endpoint, **ids)


def resource_at_hand() -> type[Resource] | None:
    """Return the resource at the URL, whatever the method; None where there is none."""
    adapter = current_app.url_map.bind("")
    for method in adapter.allowed_methods(request.path):
        name, _ = adapter.match(request.path, method=method)
        return resource_named(name)
    return None


def resource_named(endpoint: str) -> type[Resource]:
    found: type[Resource] = vars(current_app.view_functions[endpoint])["view_class"]
    return found


def crumbs() -> Iterator[tuple[str, str]]:
    """Yield the name and the URL of each resource above the one at hand, the root first."""
    base, steps = mount_url(), [step for step in request.path.split("/") if step]
    adapter = current_app.url_map.bind("")
    for count in range(len(steps)):
        path = "/" + "/".join(steps[:count])
        try:
            adapter.match(path, method="GET")
        except HTTPException:
            continue
        yield steps[count - 1] if count else runtime().service, base + path
