"""The archives service over HTTP."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from tempfile import TemporaryFile
from typing import IO, Any, ClassVar
from uuid import UUID

from flask import Response, request, stream_with_context
from sqlalchemy import Select, func, select

from glassware.api import Resource, Schema, parse, runtime
from glassware.api.files import download
from glassware.api.idempotency import once
from glassware.api.runtime import database, link, public_url
from glassware.api.schema import made
from glassware.auth import Principal, public, scope
from glassware.jobs import Then, accepted, wants_job
from glassware.jobs.model import DONE
from glassware.jobs.resources import own
from glassware.media import json
from glassware.problems import (
    ForbiddenProblem,
    InvalidParameterProblem,
    InvalidProblem,
    NotFoundProblem,
    TooLargeProblem,
    TooManyJobsProblem,
)
from glassware_archives import links
from glassware_archives.callbacks import archive_callback
from glassware_archives.domain import FORMATS, Options, Stream
from glassware_archives.domain.inside import Caution, extracted, faults, listed
from glassware_archives.domain.sources import Parts as Uploads
from glassware_archives.domain.sources import archive, is_inline, length
from glassware_archives.domain.spool import BLOCK
from glassware_archives.jobs import archive_build
from glassware_archives.models import Job
from glassware_archives.schemas import (
    ArchiveSchema,
    ExtractSchema,
    LinkSchema,
    ListingSchema,
    LookSchema,
    VerdictSchema,
    VerifySchema,
)

MULTIPART = "multipart/form-data"


class QuotaExceededProblem(TooLargeProblem):
    """The caller's finished archives take as much room as one caller's may."""

    title, slug = "Quota exceeded", "quota-exceeded"
    advice = "Delete the jobs of archives that you have fetched, or wait until they expire."


class ArchiveList(Resource):
    """Archives, built while they are sent, or kept for whoever asks for them later."""

    path = "/archives"
    policy = scope("archives:write")
    body = ArchiveSchema
    makes = tuple(kind.media_type for kind in FORMATS.values())
    problems = (QuotaExceededProblem, TooManyJobsProblem, InvalidProblem)
    form: ClassVar[Mapping[str, str]] = {
        "file": "A file, by the name that the manifest has for it."
    }

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
            return once(who, lambda: self.answer(accepted(self.ordered(who, data))))
        return self.streamed(who, data, {})

    def streamed(self, who: Principal, data: dict[str, Any], files: Uploads) -> Response:
        """Answer with the archive; ``files`` are those that came with the request."""
        if "callback" in data:
            raise InvalidProblem(errors={"callback": ["Only goes with Prefer: respond-async."]})
        if FORMATS[data["format"]].at_end:
            message = "Can only be built as a job, by Prefer: respond-async."
            raise InvalidProblem(errors={"format": [message]})
        check_exports(who, data)
        here = runtime()
        ways = here.parts.ways(here.siblings, files)
        how = Options.of(data), here.parts.workers
        blocks = archive(data["format"], data["entries"], ways, here.parts.limits, *how)
        blocks = here.parts.watch.attended(request.environ, blocks)
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

    def ordered(self, who: Principal, data: dict[str, Any]) -> Any:
        """Return the job of building it: one that was asked for before, where that is as good.

        What is in the request itself is the same at any time. What is elsewhere may change: there
        a job that has begun stands in only where ``Cache-Control: max-age`` of the request says
        that so old a reading will do (RFC 9111 section 5.2.1.1).
        """
        admit(who)
        wish = made(ArchiveSchema).dump(data)
        if "callback" in data:
            return archive_build.later(who, then=called_back(data["callback"]), wish=wish)
        elsewhere = not all(map(is_inline, data["entries"]))
        asked = request.cache_control
        age = 0 if elsewhere or asked.no_cache else math.inf
        if isinstance(asked.max_age, int):
            age = asked.max_age
        return archive_build.shared(who, age, wish=wish)


def called_back(wish: dict[str, str]) -> Then:
    """Return the job of telling how another ended. Raises BlockedAddressProblem."""
    runtime().parts.outside.check(wish["url"])
    return Then(archive_callback.name, {**wish, "base": public_url()})


def admit(who: Principal) -> None:
    """Raise QuotaExceededProblem where the caller's finished archives take too much room."""
    most = runtime().config["archives.kept_per_owner"]
    kept = own(who).filter_by(state=DONE).with_only_columns(func.sum(Job.done))
    if (database().session.scalar(kept) or 0) >= most:
        raise QuotaExceededProblem(f"Your finished archives take {most} bytes or more.")


class Archive(Resource):
    """A finished archive, until its job is forgotten."""

    path = "/archives/<uuid:id>"
    policy = scope("archives:write")
    makes = tuple(kind.media_type for kind in FORMATS.values())
    statuses = (200, 206, 304, 307, 416)

    def get(self, who: Principal, id: UUID) -> Response:
        """Return the file, or the range of it that is asked for (RFC 9110 section 14)."""
        return sent(finished(own(who), id))


class ArchiveLinkList(Resource):
    """Links to a finished archive, for people without a token."""

    path = "/archives/<uuid:id>/links"
    policy = scope("archives:write")
    body = LinkSchema
    answers = LinkSchema
    statuses = (201,)
    problems = (NotFoundProblem, InvalidProblem)

    def post(self, who: Principal, data: dict[str, Any], id: UUID) -> Any:
        """Make a link that holds for so many seconds, but not longer than the archive is kept."""
        config = runtime().config
        if data["seconds"] > (most := config["archives.max_link"]):
            raise InvalidProblem(errors={"seconds": [f"At most {most}."]})
        token, ends = links.lent(config, finished(own(who), id), data["seconds"])
        url = link("lent_archive", id=id, token=token)
        return {"url": url, "expires_at": ends}, 201, {"Location": url, "Cache-Control": "no-store"}


class LentArchive(Resource):
    """A finished archive, for whoever has a link to it."""

    path = "/archives/<uuid:id>/file"
    policy = public("the link is signed and expires")
    parameters = frozenset({"token"})
    makes = Archive.makes
    statuses = Archive.statuses
    problems = (links.LinkProblem,)

    def get(self, _who: Principal, id: UUID) -> Response:
        """Return the file, or the range of it that is asked for."""
        if "token" not in request.args:
            raise InvalidParameterProblem("The link is cut.", errors={"token": ["Missing."]})
        job = database().session.scalar(select(Job).filter_by(id=id, state=DONE))
        return sent(links.require(runtime().config, job, request.args["token"]))


def finished(jobs: Select[Any], id: UUID) -> Job:
    """Return the job of a finished archive, of those given. Raises NotFoundProblem."""
    job: Job | None = database().session.scalar(jobs.filter_by(id=id, state=DONE))
    if job is None:
        raise NotFoundProblem("There is no finished archive of this job.")
    return job


def sent(job: Job) -> Response:
    """Return the archive that the job made, or the range of it that is asked for."""
    store = runtime().parts.store
    stored = store.find(f"{job.id}.{job.fence}")
    if stored is None:
        raise NotFoundProblem("The archive of this job is gone.")
    if request.method == "GET" and (url := store.link(stored)):
        return Response(status=307, headers={"Location": url, "Cache-Control": "no-store"})
    media_type, content = FORMATS[stored.format].media_type, store.open(stored)
    return download(content, stored.size, stored.sha256, media_type, stored.filename)


class Look(Resource):
    """An archive that is looked into, and not unpacked: at a URL, or uploaded."""

    path = "/listings"
    policy = scope("archives:write")
    body: ClassVar[type[Schema] | None] = LookSchema
    answers: ClassVar[type[Schema] | None] = ListingSchema
    form: ClassVar[Mapping[str, str]] = {"archive": "The archive."}

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
        upload = request.files["archive"].stream
        return self.look(laid_down(iter(lambda: upload.read(BLOCK), b"")), data)

    def post(self, who: Principal, data: dict[str, Any]) -> Any:
        """Look into the archive at the URL."""
        if "url" not in data:
            raise InvalidProblem("There is no archive.", errors={"url": ["Missing."]})
        parts = runtime().parts
        client, source = parts.watch.over(request.environ), parts.outside.stream(data["url"])
        with client as tether, tether.bound(), source as answer:
            archive = laid_down(answer)
        return self.look(archive, data)

    def look(self, archive: IO[bytes], data: Mapping[str, Any]) -> Any:
        """List the entries, those that could do harm too: they are not ``safe``."""
        with archive:
            return {"entries": listed(archive, runtime().parts.caution)}


class Extract(Look):
    """One file of an archive."""

    path = "/extracts"
    body, answers = ExtractSchema, None
    makes = ("application/octet-stream",)

    def post(self, who: Principal, data: dict[str, Any]) -> Response:
        """Take the file out of the archive at the URL."""
        return super().post(who, data)

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


RESOURCES = (ArchiveList, Archive, ArchiveLinkList, LentArchive, Look, Extract, Verification)
