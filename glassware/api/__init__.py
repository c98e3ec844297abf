"""The resource floor: what a service author declares, and what follows from it."""

from glassware.api.collection import Collection
from glassware.api.filters import contains, exact, range_
from glassware.api.item import Item
from glassware.api.resource import Resource
from glassware.api.runtime import Runtime, runtime, sibling
from glassware.api.schema import Instant, Link, Relation, Schema

__all__ = [
    "Collection",
    "Instant",
    "Item",
    "Link",
    "Relation",
    "Resource",
    "Runtime",
    "Schema",
    "contains",
    "exact",
    "range_",
    "runtime",
    "sibling",
]
