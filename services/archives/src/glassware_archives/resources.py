"""The archives service over HTTP."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from http import HTTPStatus
from tempfile import TemporaryFile
from typing import IO, Any, ClassVar
from uuid import UUID

from flask import Response, request, send_file, stream_with_context

from glassware.api import Resource, Schema, parse, runtime
from glassware.api.idempotency import once
from glassware.api.runtime import database
from glassware.api.schema import made
from glassware.auth import Principal, scope
from glassware.jobs import accepted, wants_job
from glassware.jobs.model import DONE
from glassware.jobs.resources import own
from glassware.media import json
from glassware.problems import (
    ForbiddenProblem,
    InvalidProblem,
    NotFoundProblem,
    StaleProblem,
    TooLargeProblem,
)
from glassware_archives.domain import FORMATS, Stream
from glassware_archives.domain.inside import Caution, extracted, faults, listed
from glassware_archives.domain.sources import Parts as Uploads
from glassware_archives.domain.sources import archive
from glassware_archives.domain.spool import BLOCK
from glassware_archives.jobs import archive_build
from glassware_archives.schemas import (
    ArchiveSchema,
    ExtractSchema,
    ListingSchema,
    LookSchema,
    VerdictSchema,
    VerifySchema,
)

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


class Look(Resource):
    """An archive that is looked into, and not unpacked: at a URL, or uploaded."""

    path = "/listings"
    policy = scope("archives:write")
    body: ClassVar[type[Schema] | None] = LookSchema
    answers: ClassVar[type[Schema] | None] = ListingSchema

    def call(self, method: str, who: Principal, ids: Mapping[str, Any]) -> Any:
        """Read a form, too: the part ``archive`` with the file, ``manifest`` with the rest."""
        if request.mimetype != MULTIPART:
            return super().call(method, who, ids)
        request.max_content_length = runtime().parts.max_upload
        assert self.body is not None
        manifest = json.loads(request.form.get("manifest", "{}").encode())
        data = parse.load(made(self.body), manifest)
        if "archive" not in request.files:
            raise InvalidProblem("There is no archive.", errors={"archive": ["Missing."]})
        sent = request.files["archive"].stream
        return self.look(laid_down(iter(lambda: sent.read(BLOCK), b"")), data)

    def post(self, who: Principal, data: dict[str, Any]) -> Any:
        """Look into the archive at the URL."""
        if "url" not in data:
            raise InvalidProblem("There is no archive.", errors={"url": ["Missing."]})
        with runtime().parts.outside.stream(data["url"]) as answer:
            return self.look(laid_down(answer), data)

    def look(self, archive: IO[bytes], data: Mapping[str, Any]) -> Any:
        """List the entries, those that could do harm too: they are not ``safe``."""
        with archive:
            return {"entries": listed(archive, runtime().parts.caution)}


class Extract(Look):
    """One file of an archive."""

    path = "/extracts"
    body, answers = ExtractSchema, None
    makes = ("application/octet-stream",)

    def look(self, archive: IO[bytes], data: Mapping[str, Any]) -> Any:
        """Answer with the content of the first file that has the name."""
        blocks = content(archive, data["entry"], runtime().parts.caution)
        first = next(blocks, b"")
        return Response(continued(first, blocks), mimetype="application/octet-stream")


class Verification(Look):
    """Whether an archive is what its manifest says."""

    path = "/verifications"
    body, answers = VerifySchema, VerdictSchema

    def look(self, archive: IO[bytes], data: Mapping[str, Any]) -> Any:
        """Read all of it, and tell in what it differs."""
        with archive:
            entries = listed(archive, runtime().parts.caution, "digest")
        found = faults(entries, data["entries"])
        return {"holds": not found, "faults": found}


def laid_down(blocks: Iterable[bytes]) -> IO[bytes]:
    """Return the blocks as a file without a name. Raises TooLargeProblem."""
    most = runtime().parts.max_upload
    with ExitStack() as opened:
        file = opened.enter_context(TemporaryFile())
        for block in blocks:
            file.write(block)
            if file.tell() > most:
                raise TooLargeProblem(f"The archive has more than {most} bytes.")
        opened.pop_all()
    return file


def content(archive: IO[bytes], name: str, caution: Caution) -> Stream:
    with archive:
        yield from extracted(archive, name, caution)


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


RESOURCES = (ArchiveList, Archive, Look, Extract, Verification)
