"""One operation of the document: a method of a resource, and all that follows from its class."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc

from werkzeug.routing import Rule

from glassware import problems as kinds
from glassware.api import Collection, Item, Resource, filters, parse
from glassware.api.resource import SAFE
from glassware.api.schema import page_of
from glassware.auth import Policy
from glassware.config import Config
from glassware.openapi.schema import IN, OUT, PATCH, Converter, Node
from glassware.problems import Problem

ARGUMENT = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")
ARGUMENTS: dict[str, Node] = {
    "uuid": {"type": "string", "format": "uuid"},
    "int": {"type": "integer", "minimum": 0},
}
TAG = {"type": "string", "examples": ['"5a3f0c9e1b7d2468-91c2d3e4f5a60718"']}
KEY = {"type": "string", "pattern": "^[!-~]{1,255}$"}
BODIES = ("POST", "PUT", "PATCH")


@dataclass(frozen=True)
class Operation:
    """A method of a resource at its route."""

    rule: Rule
    resource: type[Resource]
    method: str
    config: Config
    schemas: Converter

    @property
    def path(self) -> str:
        return ARGUMENT.sub(r"{\2}", self.rule.rule)

    @property
    def policy(self) -> Policy:
        policy = self.resource.policy_for(self.method)
        assert policy is not None
        return policy

    @property
    def is_item(self) -> bool:
        return issubclass(self.resource, Item)

    @property
    def needs_match(self) -> bool:
        """Whether a change says which version it changes."""
        known = self.is_item or kinds.ConditionRequiredProblem in self.resource.problems
        return known and self.method not in SAFE

    @property
    def makes_items(self) -> bool:
        return issubclass(self.resource, Collection) and self.method == "POST"

    @property
    def tag(self) -> str:
        """The first step of the path; what every service has is of the service."""
        ours = self.resource.__module__.partition(".")[0] == __name__.partition(".")[0]
        return "service" if ours else self.path.split("/")[1]

    def node(self) -> Node:
        """Return the operation, but for its responses."""
        summary, *more = self.words()
        node: Node = {
            "operationId": f"{self.method.lower()}_{self.rule.endpoint}",
            "summary": summary.replace("`", ""),
            "description": "\n\n".join(more),
            "tags": [self.tag],
            "x-policy": str(self.policy),
            "parameters": [*self.path_parameters(), *self.query_parameters(), *self.headers()],
            "requestBody": self.body(),
        }
        return {
            **{name: value for name, value in node.items() if value},
            "security": self.security(),
        }

    def words(self) -> list[str]:
        """Return what the docstrings say of the method and the resource, a paragraph each."""
        hook = self.resource.hooks.get(self.method, "")
        own = [getattr(self.resource, self.method.lower()), getattr(self.resource, hook, None)]
        listed = [self.resource] if hook == "select" else [*own, None if hook else self.resource]
        texts = [cleandoc(each.__doc__) for each in listed if each and each.__doc__]
        paragraphs = [" ".join(each.split()) for text in texts for each in text.split("\n\n")]
        return [each.replace("``", "`") for each in dict.fromkeys(paragraphs)]

    def security(self) -> list[dict[str, list[str]]]:
        """Return the ways in: each a scheme with the scopes that together suffice."""
        if self.policy.is_public:
            return []
        return [
            {scheme: sorted(scopes)}
            for scopes in self.policy.scopes
            for scheme in ("bearer", "oauth2")
        ]

    def path_parameters(self) -> Iterator[Node]:
        for kind, name in ARGUMENT.findall(self.rule.rule):
            schema = ARGUMENTS.get(kind, {"type": "string", "minLength": 1})
            yield {"name": name, "in": "path", "required": True, "schema": schema}

    def query_parameters(self) -> Iterator[Node]:
        resource = self.resource
        for name in sorted(resource.parameters):
            yield query(name, {"type": "string"}, "")
        if self.method != "GET" or not issubclass(resource, Collection | Item):
            return
        if issubclass(resource, Collection):
            yield from self.filters(resource)
            yield from self.paging(resource)
        names = [field.data_key or name for name, field in resource.schema().dump_fields.items()]
        yield query("fields", listed(names), "The members to give out; all where it is absent.")

    def filters(self, listing: type[Collection]) -> Iterator[Node]:
        schema = listing.schema()
        for name, operators in listing.filters.items():
            node = self.schemas.parameter(schema.fields[name])
            for operator in operators:
                parameter = f"{name}[{operator}]" if operator else name
                yield query(parameter, node, filters.MEANINGS[operator].format(name=name))

    def paging(self, listing: type[Collection]) -> Iterator[Node]:
        default, largest = self.config["paging.limit"], self.config["paging.max_limit"]
        size = {"type": "integer", "minimum": 1, "maximum": largest, "default": default}
        yield query("limit", size, "Items on the page.")
        yield query("cursor", {"type": "string"}, "Where the page begins; taken from `next`.")
        if listing.sorts:
            names = [sign + name for name in listing.sorts for sign in ("", "-")]
            node = listed(names) | ({"default": listing.sort.split(",")} if listing.sort else {})
            yield query("sort", node, "The order, the first name first; downwards with a `-`.")

    def headers(self) -> Iterator[Node]:
        if self.is_item and self.method in SAFE:
            yield header("If-None-Match", TAG, "An ETag: 304 where the item still has it.")
        elif self.needs_match:
            words = "The ETag of the version to change, or `*` for any."
            yield {**header("If-Match", TAG, words), "required": self.is_item}
        elif self.makes_items:
            words = (
                "Sent again with the same key, the request is answered again, and makes nothing."
            )
            yield header("Idempotency-Key", KEY, words)

    def body(self) -> Node | None:
        kind = getattr(self.resource, "schema", None) or self.resource.body
        if self.resource.upload and self.method in BODIES:
            return {"required": True, "content": content({}, (parse.ANY,))}
        if kind is None or self.method not in BODIES:
            return None
        patches = self.method == "PATCH" and self.is_item
        node = self.schemas.refer(kind(), PATCH if patches else IN)
        media = (parse.MERGE, parse.XML) if patches else self.resource.reads
        return {"required": True, "content": content(node, media) | self.form(node)}

    def form(self, manifest: Node) -> Node:
        """Return the content of a form with files, where one is read."""
        if not self.resource.form:
            return {}
        files = {
            name: {"type": "string", "format": "binary", "description": words}
            for name, words in self.resource.form.items()
        }
        node = {"type": "object", "properties": {"manifest": manifest, **files}}
        return {"multipart/form-data": {"schema": node}}

    def answers(self) -> dict[str, Node]:
        """Return the responses that are no problem, by status."""
        resource, method = self.resource, self.method
        if issubclass(resource, Item):
            node = self.schemas.refer(resource.schema(), OUT)
            if method == "DELETE":
                return {"204": response("It is done.")}
            found = {"200": response("The item.", node, headers=["ETag"])}
            return found | ({"304": response("It is as you know it.")} if method == "GET" else {})
        if issubclass(resource, Collection):
            if method == "POST":
                node = self.schemas.refer(resource.schema(), OUT)
                return {"201": response("It is made.", node, headers=["Location", "ETag"])}
            node = self.schemas.refer(page_of(resource.schema)(), OUT)
            return {"200": response("A page of the listing.", node, headers=["Link"])}
        return self.plain_answers()

    def plain_answers(self) -> dict[str, Node]:
        """Return what the method's annotation tells: nothing, a response of its own, or data."""
        returned = getattr(self.resource, self.method.lower()).__annotations__.get("return")
        if returned == "None":
            return {"204": response("It is done.")}
        media: tuple[str, ...] = (parse.JSON, parse.XML)
        kind, statuses = self.resource.answers, self.resource.statuses
        if returned == "Response":
            media = self.resource.makes or (parse.JSON,)
            kind = None if parse.ANY in media else kind
        node = self.schemas.refer(kind(), OUT) if kind else {}
        if isinstance(statuses, Mapping):
            statuses = statuses.get(self.method, (200,))
        return {str(status): response("The answer.", node, media) for status in statuses}

    def problems(self) -> Iterator[type[Problem]]:
        """Yield the kinds of problems that the operation answers with, but for faults."""
        yield from (kinds.UnknownParameterProblem, kinds.InvalidParameterProblem)
        yield from (kinds.NotAcceptableProblem, kinds.MisdirectedHostProblem)
        if not self.policy.is_public:
            yield from (kinds.UnauthorizedProblem, kinds.ForbiddenProblem)
        if self.rule.arguments:
            yield kinds.NotFoundProblem
        if self.body():
            yield from (kinds.MalformedBodyProblem, kinds.TooLargeProblem)
            yield from (kinds.UnsupportedMediaTypeProblem, kinds.InvalidProblem)
        if self.resource.limit is not None:
            yield kinds.TooManyRequestsProblem
        if self.makes_items:
            yield from (
                kinds.InvalidKeyProblem,
                kinds.ConflictProblem,
                kinds.StillRunningProblem,
                kinds.KeyReusedProblem,
            )
        elif issubclass(self.resource, Collection):
            yield kinds.InvalidCursorProblem
        if self.needs_match:
            yield from (kinds.ConditionRequiredProblem, kinds.StaleProblem, kinds.ConflictProblem)
        yield from self.resource.problems


def query(name: str, schema: Node, words: str) -> Node:
    node: Node = {"name": name, "in": "query", "schema": schema}
    if words:
        node["description"] = words
    if schema.get("type") == "array":
        node |= {"style": "form", "explode": False}
    return node


def header(name: str, schema: Node, words: str) -> Node:
    return {"name": name, "in": "header", "description": words, "schema": schema}


def listed(names: list[str]) -> Node:
    items = {"type": "string", "enum": names}
    return {"type": "array", "items": items, "minItems": 1, "uniqueItems": True}


def content(node: Node, media: tuple[str, ...]) -> Node:
    """Return the schema by media type; the root of any XML is called ``response``."""
    in_xml = {**node, "xml": {"name": "response"}}
    return {kind: {"schema": in_xml if kind == parse.XML else node} for kind in media}


def response(
    words: str,
    node: Node | None = None,
    media: tuple[str, ...] = (parse.JSON, parse.XML),
    headers: list[str] | None = None,
) -> Node:
    """Return a response, of no content where there is no schema."""
    found: Node = {"description": words}
    if headers:
        found["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return found if node is None else {**found, "content": content(node, media)}
