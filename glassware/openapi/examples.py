"""Examples: one of each schema, valid by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flask import current_app

Node = Mapping[str, Any]
UUID = "01994a2b-7c3d-7e4f-8a5b-6c7d8e9f0a1b"
TEXTS = {
    "date-time": "2026-12-01T09:30:00Z",
    "date": "2026-12-01",
    "uuid": UUID,
    "uri": "https://example.org/",
    "email": "ada@example.org",
    "ip": "192.0.2.1",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
PLAIN = {"boolean": False, "object": {}, "null": None}


def of(name: str, node: Node, components: Mapping[str, Node]) -> Any:
    """Return an example of a member; None where there is none to be found."""
    node = node["anyOf"][0] if "anyOf" in node else node
    if "$ref" in node:
        node = components[node["$ref"].rpartition("/")[2]]
        if not node:  # a schema that holds itself: the example ends here
            return None
    given = [*node.get("examples", ()), *node.get("enum", ())]
    if given or node.get("default") is not None:
        return [*given, node.get("default")][0]
    kind = node.get("type", "string")
    match kind if isinstance(kind, str) else kind[0]:
        case "array":
            return [of(name.removesuffix("s"), node["items"], components)]
        case "integer" | "number":
            return max(node.get("minimum", 1), min(node.get("maximum", 1), 1))
        case "string":
            return next((each for each in texts(name, node) if fits(each, node)), None)
        case other:
            return PLAIN[other]


def of_object(members: Mapping[str, Node], components: Mapping[str, Node]) -> dict[str, Any]:
    """Return an object of all members that have an example."""
    found = {name: of(name, node, components) for name, node in members.items()}
    return {name: value for name, value in found.items() if value is not None}


def texts(name: str, node: Node) -> Iterator[str]:
    """Yield texts, the nicest first, some of which may not fit."""
    if node.get("format") in TEXTS:
        yield TEXTS[node["format"]]
        return
    words = name.replace("_", " ")
    for each in (words.capitalize(), words, words.replace(" ", "-"), f"/{name}"):
        longer = -(-node.get("minLength", 0) // len(each))
        yield " ".join([each] * max(1, longer))[: node.get("maxLength")]


def fits(text: str, node: Node) -> bool:
    patterns = [node.get("pattern", ""), *(each["pattern"] for each in node.get("allOf", ()))]
    return all(re.search(pattern, text) for pattern in patterns)


def path_of(endpoint: str, variables: Iterable[str]) -> str:
    """Return the path of an item of the app that is at hand; what is no id stands for itself."""
    values = {name: UUID if name == "id" else name for name in variables}
    return current_app.url_map.bind("").build(endpoint, values)
