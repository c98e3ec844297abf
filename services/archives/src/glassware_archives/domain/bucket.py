"""Finished archives in a bucket of S3, or of a server that speaks it.

An archive is uploaded in parts while it is built, and is there when the last step of that, which is
one request, has been taken; its facts are written after it. So where there are facts, there is an
archive, whole. What a killed worker leaves, an upload without an end, is aborted by the sweep.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from glassware.problems import UnavailableProblem
from glassware_archives.domain.engine import Stream
from glassware_archives.domain.formats import FORMATS
from glassware_archives.domain.store import NAME, Stored

#: Least bytes of a part: S3 wants 5 MiB or more, and at most 10,000 of them, best all of one size.
PART, PARTS = 8 * 1024**2, 9_000
#: Seconds to wait for the server to connect, and for each silence.
CONNECT, READ = 5, 30
#: Seconds for which the address that a download is sent on to holds.
SENT_ON = 300
MISSING = frozenset({"NoSuchKey", "NoSuchUpload", "404"})


class Place(NamedTuple):
    """Where the bucket is, and who we are there; without a key, the SDK's usual ways find one."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key: str
    secret_key: str


class Bucket:
    """The finished archives below a prefix of a bucket, each of at most about ``largest`` bytes.

    With ``redirect`` downloads are sent on to the server, by an address that is signed and expires.
    """

    def __init__(self, place: Place, largest: int, redirect: bool) -> None:
        self.place, self.redirect = place, redirect
        self.part = max(PART, largest // PARTS + 1)

    @cached_property
    def client(self) -> Any:
        """The client, made at first need: its connections must not be shared with a fork."""
        place = self.place
        return get_session().create_client(
            "s3",
            region_name=place.region,
            endpoint_url=place.endpoint or None,
            aws_access_key_id=place.access_key or None,
            aws_secret_access_key=place.secret_key or None,
            config=Config(
                connect_timeout=CONNECT,
                read_timeout=READ,
                retries={"mode": "standard", "total_max_attempts": 3},
                signature_version="s3v4",
                s3={"addressing_style": "path" if place.endpoint else "auto"},
                # Servers that are not Amazon's mostly do not know the newer checksums.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def ask(self, verb: str, **words: Any) -> Any:
        """Make one request. Raises KeyError for what is not there, and UnavailableProblem."""
        with reaching():
            return getattr(self.client, verb)(Bucket=self.place.bucket, **words)

    def keep(
        self, key: str, about: Mapping[str, Any], blocks: Stream, progress: Callable[[int], None]
    ) -> None:
        """Upload the blocks to the key; what fails leaves nothing behind."""
        name, digest, size = self.place.prefix + key, sha256(), 0
        kind = FORMATS[about["format"]].media_type
        with closing(blocks), self.upload(name, kind) as add:
            for block in blocks:
                digest.update(block)
                size += len(block)
                add(block)
                progress(size)
        facts = {"name": about["name"], "format": about["format"], "size": size}
        told = json.dumps({**facts, "sha256": digest.hexdigest()}).encode()
        self.ask("put_object", Key=f"{name}.json", Body=told)

    @contextmanager
    def upload(self, name: str, media_type: str) -> Iterator[Callable[[bytes], None]]:
        """Give a function that adds a block; the object is there when the block ends well."""
        begun = self.ask("create_multipart_upload", Key=name, ContentType=media_type)
        words = {"Key": name, "UploadId": begun["UploadId"]}
        buffer, parts = bytearray(), list[dict[str, Any]]()

        def send(part: bytes) -> None:
            number = len(parts) + 1
            sent = self.ask("upload_part", **words, PartNumber=number, Body=part)
            parts.append({"PartNumber": number, "ETag": sent["ETag"]})

        def add(block: bytes) -> None:
            buffer.extend(block)
            while len(buffer) >= self.part:
                send(bytes(buffer[: self.part]))
                del buffer[: self.part]

        try:
            yield add
            if buffer or not parts:
                send(bytes(buffer))
            self.ask("complete_multipart_upload", **words, MultipartUpload={"Parts": parts})
        except BaseException:
            with suppress(KeyError, UnavailableProblem):
                self.ask("abort_multipart_upload", **words)
            raise

    def find(self, key: str) -> Stored | None:
        """Return the archive of the key."""
        with suppress(KeyError):
            facts = self.ask("get_object", Key=f"{self.place.prefix}{key}.json")["Body"].read()
            return Stored(key, **json.loads(facts))
        return None

    def open(self, stored: Stored) -> io.RawIOBase:
        """Return its bytes, of which only what is read is fetched."""
        return Remote(self, self.place.prefix + stored.key, stored.size)

    def link(self, stored: Stored) -> str | None:
        """Return where a download is sent on to, None where it comes from here."""
        if not self.redirect:
            return None
        wanted = {
            "Bucket": self.place.bucket,
            "Key": self.place.prefix + stored.key,
            "ResponseContentDisposition": f'attachment; filename="{stored.filename}"',
        }
        with reaching():
            return str(self.client.generate_presigned_url("get_object", wanted, ExpiresIn=SENT_ON))

    def sweep(self, wanted: Callable[[UUID, int], bool]) -> None:
        """Remove what no job holds, and abort the uploads of those who have lost their job."""
        for item in self.listed("list_objects_v2", "Contents", wanted):
            self.ask("delete_object", Key=item["Key"])
        for item in self.listed("list_multipart_uploads", "Uploads", wanted):
            with suppress(KeyError):
                words = {"Key": item["Key"], "UploadId": item["UploadId"]}
                self.ask("abort_multipart_upload", **words)

    def listed(
        self, verb: str, member: str, wanted: Callable[[UUID, int], bool]
    ) -> Iterator[dict[str, Any]]:
        """Yield what is below the prefix, is named by a job, and held by none."""
        place = self.place
        with reaching():
            pages = self.client.get_paginator(verb).paginate(
                Bucket=place.bucket, Prefix=place.prefix
            )
            items = [item for page in pages for item in page.get(member, ())]
        for item in items:
            found = NAME.match(item["Key"].removeprefix(place.prefix))
            if found and not wanted(UUID(found["id"]), int(found["fence"])):
                yield item


class Remote(io.RawIOBase):
    """An object as a file that is read: from where one is, until its end or until it is closed."""

    def __init__(self, bucket: Bucket, name: str, size: int) -> None:
        self.bucket, self.name, self.size = bucket, name, size
        self.at = 0
        self.body: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.release()
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        return self.at

    def read(self, size: int = -1) -> bytes:
        if self.at >= self.size:
            return b""
        if self.body is None:
            asked = {"Key": self.name, "Range": f"bytes={self.at}-"}
            self.body = self.bucket.ask("get_object", **asked)["Body"]
        with reaching():
            block: bytes = self.body.read(None if size < 0 else size)
        self.at += len(block)
        return block

    def release(self) -> None:
        if self.body is not None:
            self.body.close()
            self.body = None

    def close(self) -> None:
        self.release()
        super().close()


@contextmanager
def reaching() -> Iterator[None]:
    """Raise KeyError for what the server does not have, UnavailableProblem for what it cannot."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in MISSING:
            raise KeyError(code) from error
        raise UnavailableProblem(f"The store of the archives refuses: {code}.") from error
    except BotoCoreError as error:
        raise UnavailableProblem("The store of the archives does not answer.") from error
