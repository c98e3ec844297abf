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
TRUTHY, FALSY = fields.Boolean.truthy, fields.Boolean.falsy
STEPS = ("deserialize", "_validate", "_validate_missing", "_validate_all")
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
            field,
        )
        for name, field in schema.load_fields.items()
    ]
    if any("." in attribute for _, attribute, *_ in steps):
        return None
    left_out = {
        field
        for _, _, kind, _, field in steps
        if kind and not field.required and field.load_default is missing
    }
    known = None if schema.unknown == EXCLUDE else frozenset(key for key, *_ in steps)

    def load(data: Any) -> dict[str, Any]:
        if type(data) is not dict or not (known is None or known.issuperset(data)):
            raise ValidationError("")
        loaded = {}
        for key, attribute, kind, checks, field in steps:
            value = data.get(key, missing)
            if value is missing and field in left_out:
                continue
            if kind is None or value is missing or value is None:
                value = field.deserialize(value, key, data)
            else:
                if type(value) is not kind:
                    value = field._deserialize(value, key, data)
                for check in checks:
                    check(value)
            if value is not missing:
                loaded[attribute] = value
        return loaded

    return load


def checked(field: Any) -> tuple[type[Any] | None, list[Callable[[Any], Any]]]:
    """Return the type of the values that need the field's validators only, and these.

    ``object`` is for a field that looks at every value, None for one with ways of its own.
    """
    kind = AS_THEY_ARE.get(type(field), object)
    if kind is bool and (field.truthy is not TRUTHY or field.falsy is not FALSY):
        kind = object
    plain = all(getattr(type(field), name) is getattr(fields.Field, name) for name in STEPS)
    own = field.pre_load or field.post_load or not plain
    return None if own else kind, field.validators
