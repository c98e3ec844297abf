"""Problem documents (RFC 9457) on the wire: written as XML, read from JSON and XML."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from glassware.media import json
from glassware.media.xml import tree, write
from glassware.problems import Document, MalformedBodyProblem

NAMESPACE = "urn:ietf:rfc:7807"
MAX_BYTES = 256 * 1024
STANDARD = {"type": str, "title": str, "status": int, "detail": str, "instance": str}


def to_xml(document: Mapping[str, Any]) -> bytes:
    """Write the format of RFC 9457 appendix B: a list is an element of ``<i>`` elements.

    Numbers, booleans and null become text, and an empty list or object an empty element.
    Raises as ``json.dumps`` does.
    """
    # The schema of the appendix wants its own members first.
    ordered = dict(sorted(document.items(), key=lambda member: member[0] not in STANDARD))
    out = [write.DECLARATION]
    append(out, ordered, f'<problem xmlns="{NAMESPACE}">', "</problem>")
    return "".join(out).encode()


def append(out: list[str], value: object, start: str, end: str) -> None:
    out.append(start)
    if isinstance(value, dict):
        for name, item in value.items():
            # A member that is called "i" must not make a list of its object.
            opening, closing, _ = write.key_tags(name) if name == "i" else write.tags(name)
            append(out, item, opening, closing)
    elif isinstance(value, list | tuple):
        for item in value:
            append(out, item, "<i>", "</i>")
    else:
        out.append(write.content(value))
    out.append(end)


def parse(content_type: str | None, body: bytes) -> Document | None:
    """Read a problem document; None if it is of another type, over 256 KiB, or garbage.

    Standard members of a wrong type are left out, as RFC 9457 section 3.1 demands, in each cause
    too. From XML, extension members come as texts, lists and dicts. Never raises.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    reader = READERS.get(kind)
    if reader is None or len(body) > MAX_BYTES:
        return None
    try:
        document = reader(body)
    except MalformedBodyProblem:
        return None
    return sound(document) if isinstance(document, dict) else None


def from_xml(body: bytes) -> object:
    root = tree.parse(body, NAMESPACE)
    return with_status(value_of(root)) if root.tag == "problem" else None


def value_of(element: tree.Element) -> Any:
    if not element.children:
        return element.text
    if all(child.tag == "i" for child in element.children):
        return [value_of(child) for child in element.children]
    return {child.name: value_of(child) for child in element.children}


def with_status(document: Any) -> Any:
    """Read the status as a number, in each cause too."""
    if isinstance(document, dict):
        if re.fullmatch("[1-9][0-9]{2}", str(document.get("status"))):
            document["status"] = int(document["status"])
        with_status(document.get("cause"))
    return document


def sound(document: Document) -> Document:
    found = {
        name: value
        for name, value in document.items()
        if name not in STANDARD or type(value) is STANDARD[name]
    }
    if isinstance(cause := found.get("cause"), dict):
        found["cause"] = sound(cause)
    return found


READERS: dict[str, Callable[[bytes], object]] = {
    "application/problem+json": json.loads,
    "application/problem+xml": from_xml,
}
