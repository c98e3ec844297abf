"""What a resource must declare before its service may boot. Deny by default starts here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flask import Flask

from glassware.api.api import Api
from glassware.api.collection import Collection
from glassware.api.item import Item
from glassware.api.resource import Resource
from glassware.api.schema import check_unambiguous
from glassware.auth import Policy


class DeclarationError(Exception):
    """A resource is declared in a way that cannot be served safely; the service does not boot."""


def endpoint(resource: type[Resource]) -> str:
    """Return the name of the resource in links and listings: ``TaskList`` is ``task_list``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", resource.__name__).lower()


def register(app: Flask, resources: tuple[type[Resource], ...]) -> None:
    """Check the resources and route to them. Raises DeclarationError."""
    api = Api(app)
    for resource in resources:
        for fault in faults(resource):
            raise DeclarationError(f"{resource.__name__}: {fault}")
        api.add_resource(resource, resource.path, endpoint=endpoint(resource))


def faults(resource: type[Resource]) -> Iterator[str]:
    """Yield what is wrong with a declaration, and what to do."""
    if not getattr(resource, "path", "").startswith("/"):
        yield 'it has no path; declare path = "/..."'
    if not resource.methods:
        yield f"it has no method; write one of the hooks {', '.join(resource.hooks.values())}"
    if getattr(resource, "policy", None) is None:
        yield "it has no policy; declare who may call it, public(reason) where everybody may"
        return
    for method in sorted(resource.methods or ()):
        policy = resource.policy_for(method)
        if not isinstance(policy, Policy):
            yield f"{method} has no policy; every method needs one"
        elif policy.needs_item and not issubclass(resource, Item):
            yield f"{method} goes by {policy}, but there is no item; let select() restrict the rows"
    yield from schema_faults(resource)


def schema_faults(resource: type[Resource]) -> Iterator[str]:
    schemas = [resource.body, resource.answers, getattr(resource, "schema", None)]
    for schema in schemas:
        if schema is not None:
            try:
                check_unambiguous(schema())
            except ValueError as error:
                yield str(error)
    if issubclass(resource, Collection):
        known = set(resource.schema().fields)
        for name in {*resource.filters, *resource.sorts} - known:
            yield f"it filters or sorts by {name}, which its schema does not have"
