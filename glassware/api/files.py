"""Kept bytes, sent whole or by a range, so that a broken download can go on where it broke."""

from __future__ import annotations

from base64 import b64encode
from http import HTTPStatus
from typing import IO, Any

from flask import Response, request
from werkzeug.wsgi import FileWrapper

from glassware.problems import StaleProblem

BLOCK = 64 * 1024


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
        mimetype=media_type,
        direct_passthrough=True,
        headers={"Repr-Digest": f"sha-256=:{digest}:", "Cache-Control": "private, no-cache"},
    )
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    response.content_length = size
    response.set_etag(sha256)
    asked = dict(request.environ)
    if request.range is None or request.range.units != "bytes" or len(request.range.ranges) > 1:
        asked.pop("HTTP_RANGE", None)
    try:
        response.make_conditional(asked, accept_ranges=True, complete_length=size)
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            raise StaleProblem("The file is not the one that If-Match names.")
    except Exception:
        response.close()
        raise
    return response
