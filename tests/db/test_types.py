"""What we make of a driver's values, beside what SQLAlchemy itself makes of them."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, DateTime, Uuid
from sqlalchemy.dialects import postgresql, sqlite

from glassware.db import Instant
from glassware.db.prepared import processors

SQLITE = sqlite.dialect()
ZONES = st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES | st.just(UTC))  # noqa: DTZ001 - their zones are drawn


def read(kind: Any) -> Any:
    (process,) = processors([Column("x", kind)], SQLITE)
    return process


@given(id=st.uuids())
def test_uuid_is_the_one_that_sqlalchemy_reads(id: UUID) -> None:
    theirs = Uuid().result_processor(SQLITE, None)(id.hex)
    ours = read(Uuid())(id.hex)
    for look in (hash, repr, lambda each: each.is_safe, pickle.dumps):
        assert look(ours) == look(theirs)
    assert copy.deepcopy(ours) == pickle.loads(pickle.dumps(ours)) == ours == id


@given(moment=MOMENTS)
def test_moment_comes_back_in_utc(moment: datetime) -> None:
    text = Instant().bind_processor(SQLITE)(moment)
    naive = moment.astimezone(UTC).replace(tzinfo=None)
    assert text == DateTime().dialect_impl(SQLITE).bind_processor(SQLITE)(naive)
    found = read(Instant())(text)
    assert found == moment
    assert found.tzinfo is UTC


def test_null_is_none_and_other_forms_are_left_to_their_types() -> None:
    assert read(Uuid())(None) is None
    assert read(Instant())(None) is None
    assert processors([Column("x", Uuid(as_uuid=False))], SQLITE)[0]("0" * 32) == str(UUID(int=0))
    assert processors([Column("x", Uuid())], postgresql.dialect()) == [None]
