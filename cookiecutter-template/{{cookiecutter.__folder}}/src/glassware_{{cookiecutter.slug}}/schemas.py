"""What the {{ cookiecutter.slug }} service takes and gives."""

from __future__ import annotations

from marshmallow import fields
from marshmallow.validate import Length

from glassware.api import Instant, Link, Schema
from glassware_{{ cookiecutter.slug }}.models import NAME_LENGTH


class {{ cookiecutter.__class }}Schema(Schema):
    """One {{ cookiecutter.__words }}, hyperlinked; a PUT resets what it leaves out."""

    url = Link("{{ cookiecutter.resource }}")
    name = fields.String(required=True, validate=Length(min=1, max=NAME_LENGTH))
    created_at = Instant(dump_only=True)
    updated_at = Instant(dump_only=True)
