"""What is asked for: a format, and entries with the source of each."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf, Range, Regexp

from glassware.api import Instant, Schema
from glassware.client.webhook import key_of
from glassware_archives.domain import FORMATS
from glassware_archives.domain.options import COMPRESSIONS

#: The neighbours whose resources may be entries.
SERVICES = ("tasks",)
SOURCES = ("text", "base64", "url", "part", "export", "service")
KINDS = ("file", "directory", "symlink")
_NAME = r"[A-Za-z0-9*][A-Za-z0-9!#$&^_.+-]{0,60}"
MEDIA = Regexp(rf"{_NAME}/{_NAME}\Z", error="A media type, such as text/calendar or */*.")


class Base64(fields.String):
    """Bytes as base64 (RFC 4648 section 4), strictly."""

    default_error_messages = {"invalid_base64": "Not valid base64."}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise self.make_error("invalid_base64") from None

    def _serialize(self, value: Any, *_: Any, **__: Any) -> str | None:
        return None if value is None else base64.b64encode(value).decode()


class EntrySchema(Schema):
    """One entry of the archive. A file has one source: text, base64, url, part, export or service.

    A directory and a symlink have none; a symlink has a target, which stays inside the archive.
    """

    sources: ClassVar[tuple[str, ...]] = SOURCES

    class Meta:
        example = {"name": "hello.txt", "text": "Hello!"}

    name = fields.String(required=True, validate=Length(min=1, max=1024))
    kind = fields.String(load_default="file", validate=OneOf(KINDS))
    target = fields.String(validate=Length(min=1, max=1024))
    mode = fields.String(validate=Regexp(r"[0-7]{3}\Z", error="Three octal digits, such as 644."))
    text = fields.String()
    base64 = Base64()
    url = fields.String(validate=Length(min=1, max=2048))
    service = fields.String(validate=OneOf(SERVICES))
    part = fields.String(validate=Length(min=1, max=200))
    export = fields.String(validate=Length(min=1, max=100))
    path = fields.String(validate=[Length(max=2048), Regexp(r"/(?!/)", error="Begins with one /.")])
    accept = fields.String(load_default="application/json", validate=MEDIA)
    size = fields.Integer(strict=True, validate=Range(min=0, max=2**53))
    modified = Instant()

    @validates_schema
    def has_one_source(self, data: Mapping[str, Any], **_: Any) -> None:
        kind = data.get("kind", "file")
        if sum(source in data for source in self.sources) != (kind == "file"):
            wanted = f"exactly one of {', '.join(self.sources)}" if kind == "file" else "no content"
            raise ValidationError(f"A {kind} needs {wanted}.")
        if ("target" in data) != (kind == "symlink"):
            raise ValidationError("Goes with a symlink, and a symlink with it.", "target")
        if ("service" in data or "export" in data) != ("path" in data):
            raise ValidationError("Goes with service or export, and these with it.", "path")


def is_secret(text: str) -> None:
    """Raise ValidationError for what is not a secret of the Standard Webhooks specification."""
    try:
        key_of(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class CallbackSchema(Schema):
    """Where to tell that a job has ended, and what to sign that with."""

    class Meta:
        example = {
            "url": "https://example.org/hook",
            "secret": "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0",
        }

    url = fields.String(required=True, validate=Length(min=1, max=2048))
    secret = fields.String(required=True, validate=[Length(max=100), is_secret])


class ArchiveSchema(Schema):
    """An archive: its format, the name it is saved by, and its entries in order."""

    format = fields.String(load_default="zip", validate=OneOf(tuple(FORMATS)))
    name = fields.String(
        load_default="archive",
        validate=Regexp(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}\Z", error="Only letters, digits, _.-"),
    )
    compression = fields.String(validate=OneOf(COMPRESSIONS))
    on_error = fields.String(load_default="abort", validate=OneOf(("abort", "report")))
    names = fields.String(load_default="refuse", validate=OneOf(("refuse", "rewrite")))
    manifest = fields.Boolean(load_default=False)
    library = fields.Boolean(load_default=False)
    passphrase = fields.String(validate=Length(min=1, max=256))
    callback = fields.Nested(CallbackSchema, load_only=True)
    entries = fields.List(fields.Nested(EntrySchema), required=True, validate=Length(min=1))


class LocalEntrySchema(EntrySchema):
    """An entry of an archive that is made on the command line: its source may be a file there."""

    sources: ClassVar[tuple[str, ...]] = ("text", "base64", "url", "file")

    class Meta:
        exclude = ("service", "part", "export", "path", "accept")

    file = fields.String(validate=Length(min=1))


class ManifestSchema(ArchiveSchema):
    """An archive to be made on the command line."""

    class Meta:
        exclude = ("passphrase", "callback")

    entries = fields.List(fields.Nested(LocalEntrySchema), required=True, validate=Length(min=1))


class LinkSchema(Schema):
    """A link to a finished archive; ``seconds`` is how long it is to hold."""

    seconds = fields.Integer(
        load_default=3600, strict=True, validate=Range(min=1, max=10**9), load_only=True
    )
    url = fields.String(dump_only=True)
    expires_at = Instant(dump_only=True)


class LookSchema(Schema):
    """An archive to look into: at a URL, or the part ``archive`` of a form."""

    url = fields.String(validate=Length(min=1, max=2048))


class ExtractSchema(LookSchema):
    """One entry of an archive."""

    entry = fields.String(required=True, validate=Length(min=1, max=1024))


class FactsSchema(Schema):
    """What an entry is to be."""

    name = fields.String(required=True, validate=Length(min=1, max=1024))
    size = fields.Integer(strict=True, validate=Range(min=0, max=2**53))
    crc32 = fields.String(validate=Regexp(r"[0-9a-f]{8}\Z", error="Eight hexadecimal digits."))
    sha256 = fields.String(validate=Regexp(r"[0-9a-f]{64}\Z", error="64 hexadecimal digits."))


class VerifySchema(LookSchema):
    """What the entries of an archive are to be, all of them."""

    entries = fields.List(
        fields.Nested(FactsSchema), required=True, validate=Length(min=1, max=100_000)
    )


class ContentSchema(Schema):
    """What an archive says of an entry; ``safe`` where we would give one that name and kind."""

    name = fields.String(dump_only=True)
    kind = fields.String(dump_only=True)
    size = fields.Integer(dump_only=True, allow_none=True)
    modified = Instant(dump_only=True, allow_none=True)
    link = fields.String(dump_only=True, allow_none=True, validate=Length(min=1))
    encrypted = fields.Boolean(dump_only=True)
    safe = fields.Boolean(dump_only=True)


class ListingSchema(Schema):
    """The entries of an archive, in their order."""

    entries = fields.List(fields.Nested(ContentSchema))


class VerdictSchema(Schema):
    """Whether an archive is as it should be, and in what it is not."""

    holds = fields.Boolean()
    faults = fields.List(fields.String())
