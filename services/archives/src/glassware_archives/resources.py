"""The archives service over HTTP."""

from __future__ import annotations

from base64 import b64encode
from contextlib import closing
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response, send_file, stream_with_context

from glassware.api import Resource, runtime
from glassware.api.idempotency import once
from glassware.api.runtime import database
from glassware.api.schema import made
from glassware.auth import Principal, scope
from glassware.jobs import accepted, wants_job
from glassware.jobs.model import DONE
from glassware.jobs.resources import own
from glassware.problems import NotFoundProblem, StaleProblem
from glassware_archives.domain import FORMATS, Options, Stream
from glassware_archives.domain.sources import archive, length
from glassware_archives.jobs import archive_build
from glassware_archives.schemas import ArchiveSchema


class ArchiveList(Resource):
    """Archives, built while they are sent and kept nowhere."""

    path = "/archives"
    policy = scope("archives:write")
    body = ArchiveSchema
    makes = tuple(kind.media_type for kind in FORMATS.values())

    def post(self, who: Principal, data: dict[str, Any]) -> Response:
        """Answer with the archive, or, where the caller prefers so, with the job of building it.

        What fails before the first 64 KiB are ready is a problem; what fails later cuts the
        connection, so that no truncated archive looks whole.
        """
        if wants_job():
            wish = made(ArchiveSchema).dump(data)
            return once(who, lambda: self.answer(accepted(archive_build.later(who, wish=wish))))
        here = runtime()
        ways = here.parts.ways(here.siblings)
        how = Options.of(data), here.parts.workers
        blocks = archive(data["format"], data["entries"], ways, here.parts.limits, *how)
        first = next(blocks)
        name = f"{data['name']}.{data['format']}"
        known = length(data)
        response = Response(
            stream_with_context(continued(first, blocks)),
            mimetype=FORMATS[data["format"]].media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
        if known is not None:
            response.content_length = known
        return response


class Archive(Resource):
    """A finished archive, until its job is forgotten."""

    path = "/archives/<uuid:id>"
    policy = scope("archives:write")
    makes = tuple(kind.media_type for kind in FORMATS.values())
    statuses = (200, 206, 304, 416)

    def get(self, who: Principal, id: UUID) -> Response:
        """Return the file, or the ranges of it that are asked for (RFC 9110 section 14)."""
        job = database().session.scalar(own(who).filter_by(id=id, state=DONE))
        stored = job and runtime().parts.store.find(f"{job.id}.{job.fence}")
        if stored is None:
            raise NotFoundProblem("There is no finished archive of this job.")
        response = send_file(
            stored.path,
            mimetype=FORMATS[stored.format].media_type,
            as_attachment=True,
            download_name=f"{stored.name}.{stored.format}",
            etag=stored.sha256,
            conditional=True,
        )
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            response.close()
            raise StaleProblem("The archive is not the one that If-Match names.")
        digest = b64encode(bytes.fromhex(stored.sha256)).decode()
        response.headers["Repr-Digest"] = f"sha-256=:{digest}:"
        return response


def continued(first: bytes, rest: Stream) -> Stream:
    """Yield the first block and the rest; a client that leaves closes what is open."""
    with closing(rest):
        yield first
        yield from rest
