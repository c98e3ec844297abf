"""Bytes as they are: taken in whole, and sent whole or by a range, so that a broken download can
go on where it broke."""

from __future__ import annotations

import re
from base64 import b64encode
from http import HTTPStatus
from typing import IO, Any, NamedTuple
from urllib.parse import quote

from flask import Response, request
from werkzeug.http import dump_options_header
from werkzeug.wsgi import FileWrapper

from glassware.api import parse
from glassware.problems import BadRequestProblem, StaleProblem, UnsupportedMediaTypeProblem

BLOCK = 64 * 1024
#: What is sent without a type (RFC 9110 section 8.3).
BYTES = "application/octet-stream"
MAX_TYPE = 255
NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105
QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*+"'
#: A media type with its parameters (RFC 9110 section 5.6.6 and 8.3.1, RFC 6838 section 4.2).
TYPE = re.compile(rf"{NAME}/{NAME}(?:[ \t]*;[ \t]*(?:{TOKEN}=(?:{TOKEN}|{QUOTED}))?)*+")
#: What some readers of a plain name in quotes take for something else (RFC 6266 appendix D).
UNPLAIN = re.compile(r'[^ -~]|["%\\]')


class Upload(NamedTuple):
    """The body of a request, with the media type that it was sent as."""

    content: bytes
    content_type: str


def upload() -> Upload:
    """Return the body of the request as it is; the resource names the option with its most bytes.

    Raises UnsupportedMediaTypeProblem for what is no media type and for content that is encoded,
    BadRequestProblem for a part (RFC 9110 section 14.4), RequestEntityTooLarge.
    """
    kind = request.headers.get("Content-Type", "").strip(" \t") or BYTES
    if len(kind) > MAX_TYPE or not TYPE.fullmatch(kind):
        detail = f"The Content-Type is no media type of up to {MAX_TYPE} characters."
        raise UnsupportedMediaTypeProblem(detail, supported=[parse.ANY])
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        detail = "Only what is sent without a Content-Encoding is kept."
        headers = {"Accept-Encoding": "identity"}
        raise UnsupportedMediaTypeProblem(detail, supported=[parse.ANY], headers=headers)
    if "Content-Range" in request.headers:
        raise BadRequestProblem("A part cannot be sent: send the whole, without Content-Range.")
    return Upload(parse.content(request), kind)


def download(
    content: IO[bytes] | Any, size: int, sha256: str, media_type: str, filename: str
) -> Response:
    """Return what the conditions and the range of the request leave of the content.

    ``size`` is in bytes, ``sha256`` hexadecimal: it is the ETag, and told as ``Repr-Digest`` (RFC
    9530). Several ranges, another unit, and what is no range are left aside (RFC 9110 section
    14.2). The content is closed in any case. Raises StaleProblem for If-Match.
    """
    digest = b64encode(bytes.fromhex(sha256)).decode()
    response = Response(
        FileWrapper(content, BLOCK),
        # Not as a mimetype, which is given a charset where it is a text.
        content_type=media_type,
        direct_passthrough=True,
        headers={
            "Content-Disposition": saved_as(filename),
            "Repr-Digest": f"sha-256=:{digest}:",
            "Cache-Control": "private, no-cache",
        },
    )
    response.content_length = size
    response.set_etag(sha256)
    asked = dict(request.environ)
    if request.range is None or request.range.units != "bytes" or len(request.range.ranges) > 1:
        asked.pop("HTTP_RANGE", None)
    if request.if_match.star_tag:  # which werkzeug compares as if it were a tag
        asked.pop("HTTP_IF_MATCH", None)
    try:
        response.make_conditional(asked, accept_ranges=True, complete_length=size)
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            raise StaleProblem("The file is not the one that If-Match names.")
    except Exception:
        response.close()
        raise
    return response


def saved_as(filename: str) -> str:
    """Return the Content-Disposition of what is to be saved by this name (RFC 6266).

    A name that is not plain is told once more in full, which those who know how to read it prefer.
    """
    plain = UNPLAIN.sub("_", filename)
    full = None if plain == filename else f"UTF-8''{quote(filename, safe='')}"
    return dump_options_header("attachment", {"filename": plain, "filename*": full})
