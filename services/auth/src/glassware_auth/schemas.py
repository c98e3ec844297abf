"""What goes in and out. A password and a secret go one way only."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields
from marshmallow.validate import Email as EmailSyntax
from marshmallow.validate import Length, NoneOf, Regexp

from glassware.api import Instant, Link, Schema
from glassware_auth.domain.tokens import LOGIN

NO_CONTROLS = Regexp(r"[^\x00-\x1f\x7f-\x9f]*\Z", error="Control characters are not possible.")
#: 32 bytes in base64url, the last character without spare bits.
SIGNING_KEY = Regexp(
    r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z", error="Not an Ed25519 public key in base64url."
)
SCOPE = Regexp(r"[a-z][a-z0-9._-]*(:[a-z0-9._-]+)*\Z", error="Not a scope such as tasks:read.")
CLIENT_ID = Regexp(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z", error="Not a name such as report-maker.")


class Email(fields.String):
    """An address in ASCII, which has one lower case and no look-alikes; loaded in lower case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "email", "maxLength": 254}, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        if not text.isascii() or '"' in text or len(text) > 254:
            raise ValidationError("Not an ASCII address of at most 254 characters.")
        return EmailSyntax()(text).lower()


def new_password() -> fields.String:
    return fields.String(required=True, load_only=True, validate=[Length(12, 200), NO_CONTROLS])


def known_password() -> fields.String:
    """Return the field of a password to compare: of its length only an upper bound is said."""
    return fields.String(required=True, load_only=True, validate=Length(1, 200))


class UserSchema(Schema):
    """A person."""

    url = Link("user")
    id = fields.UUID(dump_only=True)
    email = Email(dump_only=True)
    name = fields.String(required=True, validate=[Length(1, 100), NO_CONTROLS])
    active = fields.Boolean()
    admin = fields.Boolean(dump_only=True)
    activated_at = Instant(dump_only=True, allow_none=True)
    created_at = Instant(dump_only=True)
    updated_at = Instant(dump_only=True)


class RegistrationSchema(UserSchema):
    """A person who registers; ``activation`` is the link, where it may be told."""

    email = Email(required=True)
    password = new_password()
    active = fields.Boolean(dump_only=True)
    activation = fields.String(dump_only=True)


class PasswordSchema(Schema):
    """A change of one's password."""

    old_password = known_password()
    new_password = new_password()


class ActivationSchema(Schema):
    """What a link activates."""

    email = fields.String()
    activated_at = Instant(allow_none=True)


class LoginSchema(Schema):
    """Signing in; ``scope`` narrows what the token may be used for."""

    email = Email(required=True)
    password = known_password()
    scope = fields.String(validate=Length(1, 1000))


class GrantSchema(Schema):
    """A token, as RFC 6749 section 5.1 names its parts."""

    access_token = fields.String()
    token_type = fields.String()
    expires_in = fields.Integer()
    refresh_token = fields.String()
    scope = fields.String()
    issued_token_type = fields.String()


class TokenRequestSchema(Schema):
    """The form of a token request. What it does not know it ignores (RFC 6749 section 3.2)."""

    class Meta:
        unknown = EXCLUDE

    grant_type = client_id = client_secret = scope = fields.String(
        validate=[Length(max=4096), NO_CONTROLS]
    )
    username = password = refresh_token = fields.String(validate=[Length(max=4096), NO_CONTROLS])
    subject_token = fields.String(validate=[Length(max=8192), NO_CONTROLS])
    subject_token_type = requested_token_type = audience = resource = actor_token = fields.String(
        validate=[Length(max=4096), NO_CONTROLS]
    )


class ClientSchema(Schema):
    """A service account; ``client_secret`` is in the answer that made it, and never again."""

    url = Link("client")
    id = fields.UUID(dump_only=True)
    client_id = fields.String(required=True, validate=[Length(3, 30), CLIENT_ID, NoneOf([LOGIN])])
    scopes = fields.List(
        fields.String(validate=[Length(max=64), SCOPE]), required=True, validate=Length(max=50)
    )
    first_party = fields.Boolean(load_default=False)
    delegate = fields.Boolean(load_default=False)
    signing_key = fields.String(load_default=None, allow_none=True, validate=SIGNING_KEY)
    active = fields.Boolean(dump_only=True)
    client_secret = fields.String(dump_only=True)
    created_at = Instant(dump_only=True)
    updated_at = Instant(dump_only=True)


class ClientChangeSchema(ClientSchema):
    """A change of a service account, whose name stays."""

    client_id = fields.String(dump_only=True)
    first_party = fields.Boolean(required=True)
    active = fields.Boolean(required=True)


class SecretSchema(Schema):
    """A new secret, told once."""

    client_id = fields.String()
    client_secret = fields.String()
