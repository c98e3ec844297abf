"""From the bytes of a request to validated data: media type, then reader, then schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from flask import Request
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header

from glassware.api.loader import quick
from glassware.api.runtime import runtime
from glassware.media import json, xml
from glassware.problems import InvalidProblem, MalformedBodyProblem, UnsupportedMediaTypeProblem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

JSON, XML, MERGE = "application/json", "application/xml", "application/merge-patch+json"
FORM = "application/x-www-form-urlencoded"
#: Of a resource that gives bytes as they were kept: whatever type they have.
ANY = "*/*"

LENGTH = re.compile(r"[1-9][0-9]{0,9}")
#: How much of a caller's text goes back into a problem.
MAX_NAME, MAX_ERRORS = 100, 50


def read_json(body: bytes, _schema: Schema) -> Any:
    return json.loads(body)


def read_form(body: bytes, _schema: Schema) -> dict[str, str]:
    """Read a form; RFC 6749 section 3.2 forbids a parameter twice."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError as error:
        raise MalformedBodyProblem(f"The body is not a form: {error}.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise MalformedBodyProblem("A parameter is given twice; give each once.")
    return form


READERS: Mapping[str, Callable[[bytes, Schema], Any]] = {
    JSON: read_json,
    MERGE: read_json,
    XML: xml.loads,
    FORM: read_form,
}


def body(request: Request, schema: Schema, supported: tuple[str, ...]) -> Any:
    """Read the body by its Content-Type, not yet validated.

    Raises UnsupportedMediaTypeProblem and MalformedBodyProblem.
    """
    kind, charset = content_type(request.environ.get("CONTENT_TYPE", ""))
    if kind not in supported or charset not in ("utf-8", "utf8", "us-ascii"):
        headers = {"Accept-Patch" if request.method == "PATCH" else "Accept": ", ".join(supported)}
        raise UnsupportedMediaTypeProblem(
            f"A body of type {(request.content_type or 'none')[:MAX_NAME]!r} is not read here.",
            supported=list(supported),
            headers=headers,
        )
    data = content(request)
    if not data.strip():
        raise MalformedBodyProblem("The body is empty; it must hold the document.")
    return READERS[kind](data, schema)


def content(request: Request) -> bytes:
    """Return the bytes of the body. Raises RequestEntityTooLarge."""
    begun = "stream" in vars(request)  # somebody has read it, and Flask may have kept it
    data = None if begun else whole(request.environ, request.max_content_length or 0)
    if data is None:
        data = request.get_data(cache=False)
        if request.content_length is None and len(data) == request.max_content_length:
            # werkzeug cuts a chunked body at the limit and says nothing.
            raise RequestEntityTooLarge()
    return data


def whole(environ: WSGIEnvironment, most: int) -> bytes | None:
    """Return a body that has a length, of at most so many bytes, and all of them; else None.

    The server needs no watching there. The body can be read again.
    """
    told = environ.get("CONTENT_LENGTH") or ""
    if not LENGTH.fullmatch(told) or (length := int(told)) > most:
        return None
    data: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = BytesIO(data)
    return data if len(data) == length else None


@lru_cache(256)
def content_type(header: str) -> tuple[str, str]:
    """Return the media type that a Content-Type names, and its charset."""
    kind, parameters = parse_options_header(header)
    kind = kind.lower()
    return XML if kind == "text/xml" else kind, parameters.get("charset", "utf-8").lower()


def load(schema: Schema, data: Any) -> dict[str, Any]:
    """Validate against the schema. Raises InvalidProblem with a message per field."""
    if runtime().config["fast.writes"] and (load := quick(schema)) is not None:
        with suppress(ValidationError):
            return load(data)
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        raise invalid(error.messages_dict) from None
    return loaded


def invalid(messages: Mapping[Any, Any]) -> InvalidProblem:
    """Return the problem for marshmallow's nested messages, flattened to dotted names."""
    errors = dict(list(flat(messages))[:MAX_ERRORS])
    names = ", ".join(list(errors)[:3])
    return InvalidProblem(f"The content is not valid: see `errors` ({names}).", errors=errors)


def flat(messages: Any, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield ``("entries.0.name", ["Missing data."])`` for nested messages."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            step = "" if name == "_schema" else f".{str(name)[:MAX_NAME]}"
            yield from flat(inner, prefix + step)
    else:
        texts = messages if isinstance(messages, list) else [messages]
        yield prefix.removeprefix(".") or "body", [str(text)[:500] for text in texts]
