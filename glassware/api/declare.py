"""What a resource must declare before its service may boot. Deny by default starts here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from flask import Flask

from glassware.api.api import Api
from glassware.api.collection import Collection
from glassware.api.item import Item
from glassware.api.resource import Resource
from glassware.api.schema import ambiguous_fields, is_bounded, unbounded_fields
from glassware.auth import Policy
from glassware.config.networks import Networks
from glassware.limits.windows import Limit


class DeclarationError(Exception):
    """A resource is declared in a way that cannot be served safely; the service does not boot."""


def endpoint(resource: type[Resource]) -> str:
    """Return the name of the resource in links and listings: ``TaskList`` is ``task_list``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", resource.__name__).lower()


def register(app: Flask, resources: tuple[type[Resource], ...]) -> None:
    """Check the resources and route to them. Raises DeclarationError."""
    # Its redirects would be HTML; a slash too many in the middle is another URL.
    app.url_map.merge_slashes = False
    api = Api(app)
    for resource in resources:
        for fault in chain(faults(resource), option_faults(app, resource)):
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
    yield from limit_faults(resource)
    yield from schema_faults(resource)


def limit_faults(resource: type[Resource]) -> Iterator[str]:
    declared = resource.limit
    texts = declared.values() if isinstance(declared, Mapping) else [declared]
    for text in filter(None, texts):
        try:
            Limit.of(text)
        except ValueError as error:
            yield str(error)


def option_faults(app: Flask, resource: type[Resource]) -> Iterator[str]:
    def value(name: str) -> Any:
        return app.extensions["glassware"].config.get(name)

    if resource.upload and not isinstance(value(resource.upload), int):
        yield f"it reads uploads, but {resource.upload} is no option of type int"
    for method in resource.methods or ():
        policy = resource.policy_for(method)
        for name in policy.networks if policy else ():
            if not isinstance(value(name), Networks):
                yield f"{method} goes by {policy}, but {name} is no option of type Networks"


def schema_faults(resource: type[Resource]) -> Iterator[str]:
    schema = getattr(resource, "schema", None)
    for each in filter(None, (schema, resource.body, resource.answers)):
        yield from ambiguous_fields(each())
    for each in filter(None, (schema, resource.body)):
        yield from unbounded_fields(each())
    if schema is None and issubclass(resource, Collection | Item):
        yield "it has no schema; declare what an item looks like"
    elif issubclass(resource, Collection):
        yield from listing_faults(resource)


def listing_faults(listing: type[Collection]) -> Iterator[str]:
    fields = listing.schema().fields
    for name in {*listing.filters, *listing.sorts} - set(fields):
        yield f"it filters or sorts by {name}, which its schema does not have"
    for name in set(listing.filters) & set(fields):
        if not is_bounded(fields[name]):
            yield f"it filters by {name}, any whole number: add validate=Range(min, max)"
