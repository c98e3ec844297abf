"""Writers compiled from schemas: rows to the JSON or XML of their documents, nothing in between.

marshmallow asks each field of each item what to do, and a document is then walked again to be
written; here both are asked once for a schema, and a function is written that does it. A schema
with a field of a kind that is not known here, or with hooks, has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, NamedTuple

from flask_marshmallow import Schema
from marshmallow import fields
from sqlalchemy import Dialect, String, Text, Uuid, cast, func

from glassware.api.runtime import Runtime
from glassware.api.schema import Instant, Link, Relation
from glassware.db import Instant as InstantColumn
from glassware.media import json
from glassware.media.xml import escape, tags

#: Rows as the driver gives them, and the URL of the service, to the text of each.
Write = Callable[[Sequence[Any], str], list[str]]

#: The parts of a UUID that hyphens stand between.
PARTS = itemgetter(slice(8), slice(8, 12), slice(12, 16), slice(16, 20), slice(20, None))


class Dashed(dict[str, str]):
    """UUIDs without their hyphens, and with them; one that comes again is made once."""

    def __missing__(self, bare: str) -> str:
        self[bare] = text = "-".join(PARTS(bare))
        return text


class Texts(NamedTuple):
    """How the values of a column, or of a kind of field, become texts.

    ``asked`` is what the database is asked for in place of the column, ``written`` the part of an
    f-string that writes what comes, which is ``@``.
    """

    asked: Mapping[type[Any], Callable[[Any], Any]]
    written: Mapping[type[Any], str]


#: What an expression may name.
NAMES: Mapping[str, Any] = {"plain": json.plain, "hyphen": "-".join, "parts": PARTS}
OF_OBJECTS = Texts({}, {Uuid: "{@}", InstantColumn: "{plain(@)}"})
#: SQLite keeps both as texts. The same item is often what many others belong to.
OF_SQLITE = Texts(
    {},
    {
        Uuid: "{hyphen(parts(@))}",
        Relation: "{dashed[@]}",
        InstantColumn: '{@.replace(" ", "T").removesuffix(".000000")}Z',
    },
)
#: PostgreSQL writes them sooner than Python makes objects of them, and texts of these.
OF_POSTGRESQL = Texts(
    {
        Uuid: lambda column: cast(column, Text),
        InstantColumn: lambda column: func.to_char(
            func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US'
        ),
    },
    {Uuid: "{@}", InstantColumn: '{@.removesuffix(".000000")}Z'},
)
#: The columns whose values each field writes; a text needs to be escaped, the others do not.
TEXT_OF: Mapping[type[Any], type[Any]] = {
    Link: Uuid,
    Relation: Uuid,
    fields.UUID: Uuid,
    Instant: InstantColumn,
}
NUMBERS = {fields.Integer: "{int(@)}", fields.Boolean: '{"true" if @ else "false"}'}
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


def texts(dialect: Dialect) -> Texts:
    """Return the texts of values as the driver of the dialect gives them."""
    return OF_SQLITE if dialect.name == "sqlite" else OF_POSTGRESQL


def writes(texts: Texts, stored: Any) -> Callable[[Any], Any] | None:
    """Return what writes a value of a column alone, None where it is no text of ``texts``."""
    if (written := texts.written.get(type(stored))) is None:
        return None
    write = eval(f"lambda value: f'''{written}'''".replace("@", "value"), dict(NAMES))  # noqa: S307
    return lambda value: None if value is None else write(value)


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
        texts: Texts,
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
        names: dict[str, Any] = {**NAMES, "esc": form.escape, "NULL": form.null, "Dashed": Dashed}
        members = [
            self.member(name, field, form, names) for name, field in self.schema.dump_fields.items()
        ]
        body = literal(form.start) + literal(form.between).join(members) + literal(form.end)
        row = "".join(f"{place}, " for place in self.places.values())
        source = f"lambda rows, base: [f'''{body}''' for dashed in (Dashed(),) for {row} in rows]"
        write: Write = eval(source, names)  # noqa: S307 - made of the declared names only
        return write

    def member(self, name: str, field: Any, form: Form, names: dict[str, Any]) -> str:
        """Return the part of the f-string that writes a field."""
        start, end = form.member(field.data_key or name)
        attribute = attribute_of(name, field)
        column, place = self.columns[attribute], self.places[attribute]
        write = partial(self.written, field, column.type, place, form)
        if column.property.columns[0].nullable:
            # An f-string within another cannot hold any text as it is.
            written = f'{{NULL if {place} is None else f"""{write(partial(named, names))}"""}}'
        else:
            written = write(literal)
        return literal(start) + written + literal(end)

    def written(
        self, field: Any, stored: Any, place: str, form: Form, put: Callable[[str], str]
    ) -> str:
        """Return the part of the f-string that writes the value in its place.

        ``put`` returns how a text stands in it.
        """
        kind = type(field)
        if kind in TEXT_OF and type(stored) is TEXT_OF[kind]:
            quote, before = put(form.quote), put(within(form, self.before(field)))
            base = "{base}" if kind is Link else ""
            text = self.texts.written.get(kind) or self.texts.written[type(stored)]
            return f"{quote}{base}{before}{text.replace('@', place)}{quote}"
        if kind in NUMBERS:
            return NUMBERS[kind].replace("@", place)
        if kind in TEXTS and type(stored) in STRINGS:
            return f"{{esc({place})}}"
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


def named(names: dict[str, Any], text: str) -> str:
    """Return the text as it stands in an f-string by a name of its own."""
    if not text:
        return ""
    name = f"text_{len(names)}"
    names[name] = text
    return f"{{{name}}}"
