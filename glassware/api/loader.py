"""Loading by a schema, without what marshmallow does for the sake of its error messages.

What is loaded is what ``Schema.load`` would return. Where that would say what is wrong, and for a
schema with hooks or ways of its own, there is no quick load.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, missing

Load = Callable[[Any], dict[str, Any]]
#: Values of these types are what the field makes of them; any others are the field's to look at.
AS_THEY_ARE: Mapping[type[Any], type[Any]] = {
    fields.String: str,
    fields.Email: str,
    fields.Url: str,
    fields.Boolean: bool,
    fields.Integer: int,
}
METHODS = ("load", "_do_load", "_deserialize", "dict_class")


@lru_cache(256)
def quick(schema: Schema) -> Load | None:
    """Return what loads by the schema, None for one that must do it itself.

    It raises ValidationError, which says nothing, for what is not valid.
    """
    plain = all(getattr(type(schema), name) is getattr(Schema, name) for name in METHODS)
    odd = any(schema._hooks.values()) or schema.many or schema.partial
    if odd or not plain or schema.unknown not in (RAISE, EXCLUDE):
        return None
    steps = [
        (
            name if field.data_key is None else field.data_key,
            field.attribute or name,
            *checked(field),
            field.deserialize,
        )
        for name, field in schema.load_fields.items()
    ]
    if any("." in attribute for _, attribute, *_ in steps):
        return None
    known = None if schema.unknown == EXCLUDE else frozenset(key for key, *_ in steps)

    def load(data: Any) -> dict[str, Any]:
        if type(data) is not dict or not (known is None or known.issuperset(data)):
            raise ValidationError("")
        loaded = {}
        for key, attribute, kind, checks, deserialize in steps:
            value = data.get(key, missing)
            if type(value) is kind:
                for check in checks:
                    check(value)
            else:
                value = deserialize(value, key, data)
            if value is not missing:
                loaded[attribute] = value
        return loaded

    return load


def checked(field: Any) -> tuple[type[Any] | None, list[Callable[[Any], Any]]]:
    """Return the type of the values that need the field's validators only, and these."""
    kind = AS_THEY_ARE.get(type(field))
    own = bool(field.pre_load or field.post_load)
    if kind is bool:
        usual = fields.Boolean
        own |= field.truthy is not usual.truthy or field.falsy is not usual.falsy
    return None if own else kind, field.validators
