"""The {{ cookiecutter.slug }} service over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select

from glassware.api import Collection, Item, contains, range_
from glassware.auth import Principal, scope
from glassware_{{ cookiecutter.slug }} import domain, models
from glassware_{{ cookiecutter.slug }}.schemas import {{ cookiecutter.__class }}Schema

POLICY = {
    "GET": scope("{{ cookiecutter.slug }}:read"),
    "POST": scope("{{ cookiecutter.slug }}:write"),
    "PUT": scope("{{ cookiecutter.slug }}:write"),
    "PATCH": scope("{{ cookiecutter.slug }}:write"),
    "DELETE": scope("{{ cookiecutter.slug }}:write"),
}


class {{ cookiecutter.__class }}List(Collection):
    """The caller's {{ cookiecutter.__plural.replace("_", " ") }}."""

    path = "{{ cookiecutter.__path }}"
    schema = {{ cookiecutter.__class }}Schema
    policy = POLICY
    filters = {"name": contains, "created_at": range_}
    sorts = ("name", "created_at", "updated_at")

    def select(self, who: Principal) -> Select[Any]:
        return domain.visible_to(who)

    def create(self, who: Principal, data: dict[str, Any]) -> models.{{ cookiecutter.__class }}:
        return domain.add(who, **data)


class {{ cookiecutter.__class }}(Item):
    """One {{ cookiecutter.__words }}."""

    path = "{{ cookiecutter.__path }}/<uuid:id>"
    schema = {{ cookiecutter.__class }}Schema
    policy = POLICY

    def select(self, who: Principal) -> Select[Any]:
        return domain.visible_to(who)

    def change(self, who: Principal, item: models.{{ cookiecutter.__class }}, data: dict[str, Any]) -> None:
        domain.change(item, **data)

    def remove(self, who: Principal, item: models.{{ cookiecutter.__class }}) -> None:
        domain.remove(item)
