"""What differs between the models and the database, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData

MODELS_ONLY, DATABASE_ONLY = "the models have it, the database lacks it", "no model has it"
SIDES = {"add": MODELS_ONLY, "remove": DATABASE_ONLY}
NAMES = {"fk": "foreign key", "constraint": "unique constraint"}


def drift(connection: Connection, metadata: MetaData) -> list[str]:
    """Return a sentence for each difference, none where a migration would have nothing to do.

    Tables, columns with their types, indexes, unique constraints and foreign keys are compared;
    check constraints and defaults on the server's side are not.
    """
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return sorted(sentences(compare_metadata(context, metadata)))


def sentences(differences: Iterable[Any]) -> Iterator[str]:
    """Yield Alembic's differences in words; those of one column come as a list."""
    for each in differences:
        if isinstance(each, list):
            yield from sentences(each)
        elif each[0].startswith("modify"):
            yield modified(*each)
        else:
            yield one_sided(*each)


def one_sided(what: str, *parts: Any) -> str:
    side, _, kind = what.partition("_")
    thing = parts[-1]
    where = f"{parts[-2]}.{thing.name}" if kind == "column" else thing.name
    if kind not in ("table", "column"):
        columns = ", ".join(column.name for column in thing.columns)
        where = f"{where or ''} on {thing.table.name} ({columns})".lstrip()
    return f"{NAMES.get(kind, kind)} {where}: {SIDES[side]}"


def modified(
    what: str, _schema: str | None, table: str, column: str, _kept: Any, found: Any, wanted: Any
) -> str:
    aspect = what.removeprefix("modify_")
    return f"column {table}.{column}: {aspect} is {found} in the database, {wanted} in the models"
