"""How values look on a page: links that can be followed, times that can be read, inputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from glassware.media import json

Node = Mapping[str, Any]
INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?(\.\d+)?Z")
#: Texts longer than this are written on several lines.
LINE = 200
#: Words longer than this are broken.
LONGEST = 24


def is_url(value: object) -> bool:
    """Whether the value is something to follow. A text such as ``javascript:...`` is not."""
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def is_instant(value: object) -> bool:
    return isinstance(value, str) and INSTANT.fullmatch(value) is not None


def is_unbroken(value: str) -> bool:
    """Whether the text has a word, such as a digest, that would push other columns out of sight."""
    return any(len(word) > LONGEST for word in value.split())


def moment(value: str) -> str:
    return INSTANT.sub(r"\1 \2 UTC", value)


def short(url: str) -> str:
    """Return the URL as it reads best: without the host, and of a UUID only its ends."""
    text = re.sub(r"([0-9a-f]{4})[0-9a-f-]{28}([0-9a-f]{4})\b", r"\1…\2", url)
    parts = urlsplit(text)
    where = parts.path if parts.path not in ("", "/") else parts.netloc
    return f"{where}?…" if parts.query else where


def label(name: str) -> str:
    """Return a name in words: ``due_to`` is ``Due to``."""
    return name.replace("_", " ").strip().capitalize()


def title(name: str) -> str:
    """Return the name of a class in words: ``OpenTaskList`` is ``Open tasks``."""
    stem = name.removesuffix("List")
    if stem != name:
        stem = re.sub(r"(?<=[^aeiou])ys$", "ies", f"{stem}s")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", stem).capitalize()


def about(kind: type) -> str:
    """Return what a class says of itself first."""
    first, *_ = (kind.__doc__ or "").split("\n\n")
    return " ".join(first.split()).replace("``", "`")


def code(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of a text, each with whether it stood in backticks."""
    return [(piece, index % 2 == 1) for index, piece in enumerate(text.split("`"))]


def resolved(node: Node, schemas: Mapping[str, Node]) -> Node:
    """Return the schema that a node refers to, with the node's own words."""
    name = str(node.get("$ref", "")).rpartition("/")[2]
    return {**schemas.get(name, {}), **node}


def kind(node: Node) -> str:
    """Return how a member is written in a form."""
    types = node.get("type", "string")
    first = types if isinstance(types, str) else types[0]
    if {"$ref", "anyOf"} & set(node) or first in ("array", "object"):
        return "json"
    if node.get("format") == "date-time":
        return "instant"
    return {"integer": "number", "number": "number", "boolean": "boolean"}.get(first, "text")


def nullable(node: Node) -> bool:
    return "null" in node.get("type", ())


def long(node: Node) -> bool:
    bounded = {"format", "pattern", "default"} & set(node)
    return bool(node.get("maxLength", 0 if bounded else LINE + 1) > LINE)


def plain(value: object) -> str:
    """Return JSON to be edited."""
    return json.dumps(value).decode()


def local(value: object) -> str:
    """Return what ``<input type=datetime-local>`` takes, in UTC."""
    match = INSTANT.fullmatch(str(value))
    return f"{match[1]}T{match[2]}{match[3] or ''}" if match else ""


TESTS: dict[str, Callable[..., bool]] = {
    "url": is_url,
    "instant": is_instant,
    "unbroken": is_unbroken,
}
FILTERS: dict[str, Callable[..., Any]] = {
    "about": about,
    "code": code,
    "kind": kind,
    "label": label,
    "local": local,
    "long": long,
    "moment": moment,
    "nullable": nullable,
    "plain": plain,
    "resolved": resolved,
    "short": short,
    "title_of": title,
}
