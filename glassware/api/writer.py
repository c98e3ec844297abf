"""Writers compiled from schemas: rows to the JSON or XML of their documents, nothing in between.

marshmallow asks each field of each item what to do, and a document is then walked again to be
written; here both are asked once for a schema, and a function is written that does it. A schema
with a field of a kind that is not known here, or with hooks, has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from flask_marshmallow import Schema
from marshmallow import fields
from sqlalchemy import Dialect, String, Text, Uuid

from glassware.api.runtime import Runtime
from glassware.api.schema import Instant, Link, Relation
from glassware.db import Instant as InstantColumn
from glassware.media import json
from glassware.media.xml import escape, tags

#: Rows as the driver gives them, and the URL of the service, to the text of each.
Write = Callable[[Sequence[Any], str], list[str]]

#: What an expression may name.
NAMES: Mapping[str, Any] = {"plain": json.plain, "WHOLE": "000000", "T": "true", "F": "false"}
#: The text of a UUID and of a moment ``@`` as drivers give them: SQLite keeps them as texts.
OF_OBJECTS: Mapping[type[Any], str] = {Uuid: "{@}", InstantColumn: "{plain(@)}"}
OF_SQLITE: Mapping[type[Any], str] = {
    Uuid: "{@[:8]}-{@[8:12]}-{@[12:16]}-{@[16:20]}-{@[20:]}",
    InstantColumn: "{@[:10]}T{@[11:19] if @[20:] == WHOLE else @[11:]}Z",
}
#: The columns whose values each field writes; a text needs to be escaped, the others do not.
TEXT_OF: Mapping[type[Any], type[Any]] = {
    Link: Uuid,
    Relation: Uuid,
    fields.UUID: Uuid,
    Instant: InstantColumn,
}
NUMBERS = {fields.Integer: "{int(@)}", fields.Boolean: "{T if @ else F}"}
TEXTS = (fields.String, fields.Email, fields.Url)
#: Their columns; a subclass may give something else.
STRINGS = (String, Text)


class Form(NamedTuple):
    """How a medium writes: the item, a member, a text, and what stands for null."""

    start: str
    between: str
    end: str
    member: Callable[[str], tuple[str, str]]
    escape: Callable[[str], str]
    quote: str
    null: str


def xml_form(name: str) -> Form:
    start, end, _ = tags(name)
    return Form(start, "", end, lambda name: tags(name)[:2], escape, "", "")


JSON_FORM = Form(
    "{",
    ",",
    "}",
    lambda name: (f"{encode_basestring(name)}:", ""),
    encode_basestring,
    '"',
    "null",
)


def texts(dialect: Dialect) -> Mapping[type[Any], str]:
    """Return the texts of values as the driver of the dialect gives them."""
    return OF_SQLITE if dialect.name == "sqlite" else OF_OBJECTS


def within(form: Form, text: str) -> str:
    """Return the text as it stands inside of another."""
    escaped = form.escape(text)
    return escaped[1:-1] if form.quote else escaped


class Writer:
    """Writes the documents of a schema of rows that have the ``columns``.

    ``texts`` are those of the values as they come; ``paths`` maps the endpoint of an item to the
    part of its path before the id. Raises LookupError for a schema that is not that simple.
    """

    def __init__(
        self,
        schema: Schema,
        columns: Mapping[str, Any],
        texts: Mapping[type[Any], str],
        paths: Mapping[str, str],
        here: Runtime,
    ) -> None:
        if any(schema._hooks.values()):
            raise LookupError("it has hooks")
        self.schema, self.columns, self.texts = schema, columns, texts
        self.paths, self.here = paths, here
        self.places = {name: f"c{number}" for number, name in enumerate(columns)}

    def compiled(self, form: Form) -> Write:
        """Return the function of rows, which are tuples of the columns in their order."""
        names: dict[str, Any] = {**NAMES, "esc": form.escape, "NULL": form.null, "Q": form.quote}
        members = [
            self.member(name, field, form, names) for name, field in self.schema.dump_fields.items()
        ]
        body = literal(form.start) + literal(form.between).join(members) + literal(form.end)
        row = "".join(f"{place}, " for place in self.places.values())
        source = f"lambda rows, base: [f'''{body}''' for {row} in rows]"
        write: Write = eval(source, names)  # noqa: S307 - made of the declared names only
        return write

    def member(self, name: str, field: Any, form: Form, names: dict[str, Any]) -> str:
        """Return the part of the f-string that writes a field."""
        start, end = form.member(field.data_key or name)
        attribute = attribute_of(name, field)
        column, place = self.columns[attribute], self.places[attribute]
        written = self.written(field, column.type, form, names)
        if column.property.columns[0].nullable:
            written = f'{{NULL if @ is None else f"{written}"}}'
        return literal(start) + written.replace("@", place) + literal(end)

    def written(self, field: Any, stored: Any, form: Form, names: dict[str, Any]) -> str:
        """Return the part of the f-string that writes a value; ``@`` stands for it."""
        kind = type(field)
        if kind in TEXT_OF and type(stored) is TEXT_OF[kind]:
            before = f"before_{len(names)}"
            names[before] = within(form, self.before(field))
            base = "{base}" if kind is Link else ""
            return f"{{Q}}{base}{{{before}}}{self.texts[type(stored)]}{{Q}}"
        if kind in NUMBERS:
            return NUMBERS[kind]
        if kind in TEXTS and type(stored) in STRINGS:
            return "{esc(@)}"
        raise LookupError(f"{kind.__name__} of {stored!r}")

    def before(self, field: Any) -> str:
        """Return what stands before the value in its text."""
        if isinstance(field, Link):
            return self.paths[field.endpoint]
        return field.prefix_in(self.here) if isinstance(field, Relation) else ""


def attribute_of(name: str, field: Any) -> str:
    """Return the attribute of an item that the field of this name shows."""
    if isinstance(field, Link):
        return field.item_attribute
    return field.attribute or name


def literal(text: str) -> str:
    """Return the text as it stands in an f-string of three single quotes."""
    return repr(f'"{text}')[2:-1].replace("{", "{{").replace("}", "}}")
