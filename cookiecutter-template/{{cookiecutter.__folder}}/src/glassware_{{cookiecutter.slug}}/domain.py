"""What may be done with {{ cookiecutter.__plural.replace("_", " ") }}."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from glassware.auth import Principal
from glassware_{{ cookiecutter.slug }}.models import {{ cookiecutter.__class }}, db


def visible_to(who: Principal) -> Select[tuple[{{ cookiecutter.__class }}]]:
    """Return what the caller may see: their own."""
    return select({{ cookiecutter.__class }}).where({{ cookiecutter.__class }}.owner == who.subject)


def add(who: Principal, **data: Any) -> {{ cookiecutter.__class }}:
    """Return a new one of the caller's own."""
    {{ cookiecutter.resource }} = {{ cookiecutter.__class }}(owner=who.subject, **data)
    db.session.add({{ cookiecutter.resource }})
    return {{ cookiecutter.resource }}


def change({{ cookiecutter.resource }}: {{ cookiecutter.__class }}, **data: Any) -> None:
    """Set every field."""
    for name, value in data.items():
        setattr({{ cookiecutter.resource }}, name, value)


def remove({{ cookiecutter.resource }}: {{ cookiecutter.__class }}) -> None:
    db.session.delete({{ cookiecutter.resource }})
