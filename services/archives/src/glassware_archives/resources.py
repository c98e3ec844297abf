"""The archives service over HTTP."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from flask import Response, stream_with_context

from glassware.api import Resource, runtime
from glassware.auth import Principal, scope
from glassware_archives.domain import FORMATS, Stream
from glassware_archives.domain.sources import Ways, archive
from glassware_archives.schemas import ArchiveSchema


class ArchiveList(Resource):
    """Archives, built while they are sent and kept nowhere."""

    path = "/archives"
    policy = scope("archives:write")
    body = ArchiveSchema
    makes = tuple(kind.media_type for kind in FORMATS.values())

    def post(self, who: Principal, data: dict[str, Any]) -> Response:
        """Answer with the archive.

        What fails before the first 64 KiB are ready is a problem; what fails later cuts the
        connection, so that no truncated archive looks whole.
        """
        here = runtime()
        ways = Ways(here.parts.outside, here.siblings)
        blocks = archive(data["format"], data["entries"], ways, here.parts.limits)
        first = next(blocks)
        name = f"{data['name']}.{data['format']}"
        return Response(
            stream_with_context(continued(first, blocks)),
            mimetype=FORMATS[data["format"]].media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def continued(first: bytes, rest: Stream) -> Stream:
    """Yield the first block and the rest; a client that leaves closes what is open."""
    with closing(rest):
        yield first
        yield from rest
