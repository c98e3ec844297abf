"""Writing XML: dicttoxml's format, written directly, and well-formed whatever comes.

``{"tasks": [{"title": "a"}], "a b": None}`` is ``<tasks><task><title>a</title></task></tasks>``
and ``<key name="a b"></key>``. dicttoxml itself is the reference, for tests and for those who want
it; where the two differ it loses data, and ``tests/media/test_xml_write.py`` lists it.
"""

from __future__ import annotations

import json as stdlib
import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from types import NoneType
from typing import Any
from xml.parsers import expat

from glassware.media import json
from glassware.media.text import FORBIDDEN, REPLACEMENT

DECLARATION = '<?xml version="1.0" encoding="UTF-8" ?>'
#: Longer names are not remembered: the memory is bounded in bytes too.
MAX_REMEMBERED = 100
LISTS = (list, tuple)


def dumps(value: object, root: str = "response") -> bytes:
    """Write a document of what ``json.dumps`` takes; decoded, it gives what the JSON gives.

    Characters that XML 1.0 cannot carry are replaced by U+FFFD. Raises as ``json.dumps`` does.
    """
    start, end, child = tags(root)
    out = [DECLARATION]
    write(out, value if isinstance(value, (dict, *LISTS)) else [value], start, end, child)
    return "".join(out).encode()


def reference(value: object, root: str = "response") -> bytes:
    """Write with dicttoxml, which is slow and ambiguous in places, but never logs the payload."""
    import dicttoxml  # it brings minidom along: only for who chooses it

    # A filter outlives any logging.config; the level spares the making of what it would drop.
    dicttoxml.LOG.addFilter(drop)
    dicttoxml.LOG.setLevel(logging.CRITICAL)
    primitives = stdlib.loads(json.dumps(value))
    text = dicttoxml.dicttoxml(
        primitives, custom_root=root, attr_type=False, item_func=singular, return_bytes=False
    )
    return FORBIDDEN.sub(REPLACEMENT, text).encode()


def drop(_record: logging.LogRecord) -> bool:
    return False


def write(out: list[str], value: object, start: str, end: str, child: str) -> None:
    """Append the element of a value; ``child`` names the elements inside it if it is a list."""
    # Scalars are written where they are met: a call for each would cost a third more.
    if isinstance(value, dict):
        out.append(start)
        for name, item in value.items():
            opening, closing, inner = tags(name)
            if scalar := SCALARS.get(type(item)):
                out.append(f"{opening}{scalar(item)}{closing}")
            else:
                write(out, item, opening, closing, inner)
        out.append(end)
    elif isinstance(value, LISTS):
        out.append(start)
        write_items(out, value, child)
        out.append(end)
    else:
        out.append(f"{start}{content(value)}{end}")


def write_items(out: list[str], items: Iterable[object], name: str) -> None:
    opening, closing, inner = tags(name)
    for item in items:
        if scalar := SCALARS.get(type(item)):
            out.append(f"{opening}{scalar(item)}{closing}")
        elif isinstance(item, LISTS):
            # The blank in the tag of a list within a list is dicttoxml's.
            write(out, item, f"<{name} >", closing, inner)
        else:
            write(out, item, opening, closing, inner)


def content(value: object) -> str:
    """Return the escaped text of anything but a container. Raises as ``json.dumps`` does."""
    if isinstance(value, str):
        # A subclass may format, and even replace, in ways of its own.
        return escape(str.__str__(value))
    for kind, scalar in SCALARS.items():
        if isinstance(value, kind):
            return scalar(value)
    return json.plain(value)


def escape(text: str) -> str:
    if not text.isprintable():
        text = FORBIDDEN.sub(REPLACEMENT, text)
    elif not ("&" in text or "<" in text or ">" in text or "'" in text or '"' in text):
        return text
    text = text.replace("&", "&amp;").replace('"', "&quot;").replace("'", "&apos;")
    # A bare carriage return would be read as a line feed (XML 1.0 section 2.11).
    return text.replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def real(value: float) -> str:
    if value - value != 0:
        raise ValueError(f"{value} has no form in JSON and XML")
    return float.__repr__(value)


SCALARS: dict[type, Callable[[Any], str]] = {
    str: escape,
    bool: {True: "true", False: "false"}.__getitem__,
    int: int.__repr__,
    float: real,
    NoneType: lambda _: "",
}


def tags(name: object) -> tuple[str, str, str]:
    """Return the start tag and the end tag for a name, and the name of its list's items."""
    if type(name) is not str:
        # The name that JSON gives it: "1", "true", "null".
        name = str(stdlib.loads(stdlib.dumps({name: None})).popitem()[0])
    return remembered(name) if len(name) <= MAX_REMEMBERED else make_tags(name)


def make_tags(name: str) -> tuple[str, str, str]:
    if is_name(name):
        return f"<{name}>", f"</{name}>", singular(name)
    return key_tags(name)


remembered = lru_cache(maxsize=1024)(make_tags)


def key_tags(name: str) -> tuple[str, str, str]:
    """Return the tags for a name that no element can have."""
    # A bare tab or line feed in an attribute would be read as a blank (XML 1.0 section 3.3.3).
    value = escape(name).replace("\t", "&#9;").replace("\n", "&#10;")
    return f'<key name="{value}">', "</key>", singular("key")


def is_name(name: str) -> bool:
    """Tell whether the parser reads an element of this name back, outside any namespace."""
    found: list[str] = []
    parser = expat.ParserCreate("UTF-8")
    parser.StartElementHandler = lambda element, _: found.append(element)
    try:
        parser.Parse(f"<{name}/>".encode(), True)
    except (expat.ExpatError, UnicodeEncodeError):
        return False
    return found == [name] and ":" not in name


def singular(name: str) -> str:
    """Return the name of an item of the list: task for tasks, entry for entries, else item."""
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    return name[:-1] if name.endswith("s") and name != "s" else "item"
