"""The archives service over HTTP."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response, request, send_file, stream_with_context

from glassware.api import Resource, parse, runtime
from glassware.api.idempotency import once
from glassware.api.runtime import database
from glassware.api.schema import made
from glassware.auth import Principal, scope
from glassware.jobs import accepted, wants_job
from glassware.jobs.model import DONE
from glassware.jobs.resources import own
from glassware.media import json
from glassware.problems import ForbiddenProblem, NotFoundProblem, StaleProblem
from glassware_archives.domain import FORMATS, Stream
from glassware_archives.domain.sources import Parts as Uploads
from glassware_archives.domain.sources import archive
from glassware_archives.jobs import archive_build
from glassware_archives.schemas import ArchiveSchema

MULTIPART = "multipart/form-data"


class ArchiveList(Resource):
    """Archives, built while they are sent and kept nowhere."""

    path = "/archives"
    policy = scope("archives:write")
    body = ArchiveSchema
    makes = tuple(kind.media_type for kind in FORMATS.values())

    def call(self, method: str, who: Principal, ids: Mapping[str, Any]) -> Any:
        """Read a form with files, too (RFC 7578): the part ``manifest`` and those it names."""
        if request.mimetype != MULTIPART:
            return super().call(method, who, ids)
        request.max_content_length = runtime().parts.max_upload
        manifest = json.loads(request.form.get("manifest", "").encode())
        data = parse.load(made(ArchiveSchema), manifest)
        files = {name: each.stream for name, each in request.files.items()}
        return self.streamed(who, data, files)

    def post(self, who: Principal, data: dict[str, Any]) -> Response:
        """Answer with the archive, or, where the caller prefers so, with the job of building it.

        What fails before the first 64 KiB are ready is a problem; what fails later cuts the
        connection, so that no truncated archive looks whole.
        """
        if wants_job():
            check_exports(who, data)
            wish = made(ArchiveSchema).dump(data)
            return once(who, lambda: self.answer(accepted(archive_build.later(who, wish=wish))))
        return self.streamed(who, data, {})

    def streamed(self, who: Principal, data: dict[str, Any], files: Uploads) -> Response:
        check_exports(who, data)
        here = runtime()
        ways = here.parts.ways(here.siblings, files)
        blocks = archive(data["format"], data["entries"], ways, here.parts.limits)
        first = next(blocks)
        name = f"{data['name']}.{data['format']}"
        return Response(
            stream_with_context(continued(first, blocks)),
            mimetype=FORMATS[data["format"]].media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


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


def check_exports(who: Principal, data: Mapping[str, Any]) -> None:
    """Raise ForbiddenProblem for a file of this machine that the caller may not have."""
    if any("export" in entry for entry in data["entries"]) and not who.may("exports:read"):
        raise ForbiddenProblem(
            "The token does not reach the folders of this machine.", required="scope exports:read"
        )


def continued(first: bytes, rest: Stream) -> Stream:
    """Yield the first block and the rest; a client that leaves closes what is open."""
    with closing(rest):
        yield first
        yield from rest
