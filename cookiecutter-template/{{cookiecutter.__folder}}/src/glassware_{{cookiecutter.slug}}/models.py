"""The rows of the {{ cookiecutter.slug }} service."""

from __future__ import annotations

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from glassware.db import Database, Row

db = Database()

NAME_LENGTH = 100


class {{ cookiecutter.__class }}(Row, db.Model):
    """One {{ cookiecutter.__words }}, and whose it is."""

    __tablename__ = "{{ cookiecutter.__plural }}"
    #: Listed by their owner, in the order of their making, which is that of their ids.
    __table_args__ = (Index(None, "owner", "id"),)

    owner: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
