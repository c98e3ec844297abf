"""JSON Schema of the marshmallow schemas: as given out, as taken in, and as patched.

apispec knows marshmallow's fields. What is ours is here: the chassis's own fields, the three ways
of a schema, the names of XML elements (OpenAPI 3.1 section 4.8.26), and an example of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import marshmallow
from apispec import APISpec
from apispec.ext.marshmallow.field_converter import DEFAULT_FIELD_MAPPING
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields
from marshmallow.validate import NoneOf, Regexp

from glassware.api.schema import Field, Instant, Link, Relation
from glassware.media.xml.write import singular
from glassware.openapi import examples

Node = dict[str, Any]
VERSION = "3.1.0"
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: What the chassis's own fields are, and what apispec calls by a name that JSON Schema has not.
KINDS: dict[type, tuple[str | None, str | None]] = {
    fields.URL: ("string", "uri"),
    Instant: ("string", "date-time"),
    Link: ("string", "uri"),
    Relation: ("string", "uri"),
}


@dataclass(frozen=True)
class Way:
    """Which way a schema is used."""

    suffix: str = ""
    taken_in: bool = True
    partial: bool = False


#: Of what is given out no member is required: ``?fields=`` may leave out any.
OUT, IN, PATCH = Way("", False, True), Way("Input"), Way("Patch", partial=True)


class Converter(OpenAPIConverter):
    """Describes schemas, and collects in ``components`` each that is referred to.

    ``base`` is the URL of the service in the examples.
    """

    def __init__(self, base: str) -> None:
        super().__init__(VERSION, None, APISpec("", "", VERSION))
        self.field_mapping = {**DEFAULT_FIELD_MAPPING, **KINDS}
        self.base = base
        self.components: dict[str, Node] = {}
        self.names: dict[tuple[type[marshmallow.Schema], Way], str] = {}
        self.way = OUT

    def refer(self, schema: marshmallow.Schema, way: Way) -> Node:
        """Return a reference to the schema, which is described where it has not been yet."""
        with self.used(way):
            return self.resolve_nested_schema(schema)

    @contextmanager
    def used(self, way: Way) -> Iterator[None]:
        before, self.way = self.way, way
        yield
        self.way = before

    def parameter(self, field: Field) -> Node:
        """Return the schema of a parameter that the field reads."""
        node: Node = self.field2property(field)
        node["examples"] = [self.example(str(field.name), field, node)]
        kind = node.get("type")
        if isinstance(kind, list):  # a query has no null
            node["type"] = kind[0]
        return {name: node[name] for name in node if name not in ("readOnly", "writeOnly")}

    def resolve_nested_schema(self, schema: Any) -> Node:
        schema = schema() if isinstance(schema, type) else schema
        node = self.describe(schema) if schema.only or schema.exclude else self.named(schema)
        return {"type": "array", "items": node} if schema.many else node

    def named(self, schema: marshmallow.Schema) -> Node:
        key = type(schema), self.way
        if key not in self.names:
            self.names[key] = name = self.free_name(type(schema))
            self.components[name] = {}  # known by now: a schema may hold itself
            self.components[name] = self.describe(schema)
        return {"$ref": f"#/components/schemas/{self.names[key]}"}

    def free_name(self, kind: type[marshmallow.Schema]) -> str:
        name = kind.__name__.replace("Schema", "") + self.way.suffix
        while name in self.components:
            name += "_"
        return name

    def describe(self, schema: marshmallow.Schema) -> Node:
        """Return the schema of the object, the way it is used."""
        chosen = schema.load_fields if self.way.taken_in else schema.dump_fields
        members = {field.data_key or name: field for name, field in chosen.items()}
        node: Node = {
            "type": "object",
            "description": " ".join((type(schema).__doc__ or "").split()),
            "properties": {name: self.member(name, field) for name, field in members.items()},
            "required": [name for name, field in members.items() if self.needs(field)],
        }
        if self.way.taken_in and schema.unknown == marshmallow.RAISE:
            node["additionalProperties"] = False
        own = getattr(schema.Meta, "example", None)
        node["examples"] = [own or examples.of_object(node["properties"], self.components)]
        return {name: value for name, value in node.items() if value not in ("", [])}

    def needs(self, field: Field) -> bool:
        return field.required and not self.way.partial

    def member(self, name: str, field: Field) -> Node:
        node: Node = self.field2property(field)
        if "items" in node:
            # The writer wraps a list in its name and calls each item by the singular.
            node["xml"] = {"wrapped": True}
            node["items"] = {**node["items"], "xml": {"name": singular(name)}}
        if self.way is PATCH and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        if example := self.example(name, field, node):
            node["examples"] = [example]
        return node

    def example(self, name: str, field: Field, node: Node) -> object:
        if isinstance(field, Link):
            return self.base + examples.path_of(field.endpoint, field.values)
        if isinstance(field, Relation):
            return field.prefix + examples.UUID
        return examples.of(name, node, self.components)

    def list2properties(self, field: Field, **_: Any) -> Node:
        # A patch replaces a list as a whole (RFC 7396).
        with self.used(IN if self.way is PATCH else self.way):
            node: Node = super().list2properties(field)
        return node

    def field2default(self, field: Field, **_: Any) -> Node:
        # What a patch leaves out stays as it is, and an answer leaves nothing to default.
        return super().field2default(field) if self.way is IN else {}

    def field2pattern(self, field: Field, **_: Any) -> Node:
        if isinstance(field, Relation):
            return {"pattern": f"^{re.escape(field.prefix)}{UUID}$"}
        patterns = [ecma(each.regex.pattern) for each in of_kind(field, Regexp)]
        if len(patterns) == 1:
            return {"pattern": patterns[0]}
        return {"allOf": [{"pattern": each} for each in patterns]} if patterns else {}

    def field2choices(self, field: Field, **_: Any) -> Node:
        node: Node = super().field2choices(field)
        refused = [value for each in of_kind(field, NoneOf) for value in each.iterable]
        return {**node, "not": {"enum": refused}} if refused else node


def of_kind(field: Field, kind: type) -> list[Any]:
    return [each for each in field.validators if isinstance(each, kind)]


def ecma(pattern: str) -> str:
    """Return the pattern as JavaScript has it; Python's ``match`` begins at the start."""
    pattern = re.sub(r"\\[zZ]", "$", pattern)
    return f"^(?:{pattern})" if "|" in pattern else f"^{pattern}"
