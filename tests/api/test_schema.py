"""The fields of the house: moments, links, relations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from glassware.api import Instant, Link, Relation, Schema
from glassware.service import Service

OFFSETS = st.integers(-24 * 60 + 1, 24 * 60 - 1).map(lambda m: timezone(timedelta(minutes=m)))


@given(st.datetimes(timezones=OFFSETS | st.timezones()))
def test_a_moment_of_any_zone_comes_back_the_same_moment_in_utc(moment: datetime) -> None:
    field = Instant()
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        with pytest.raises(ValidationError):
            field.deserialize(moment.isoformat())
        return
    loaded = field.deserialize(moment.isoformat())
    assert loaded == expected
    assert loaded.tzinfo is UTC
    text = field.serialize("at", {"at": loaded})
    assert text is not None
    assert text.endswith("Z")
    assert field.deserialize(text) == loaded


@given(st.datetimes())
def test_a_naive_moment_is_refused(moment: datetime) -> None:
    with pytest.raises(ValidationError):
        Instant().deserialize(moment.isoformat())


@given(
    st.text(max_size=40)
    | st.from_regex(r"[0-9]{1,5}-[0-9]{1,3}-[0-9]{1,3}T[0-9:.,]{1,20}(Z|[+-][0-9:]{1,8})?")
    | st.integers()
    | st.booleans()
    | st.lists(st.integers())
)
def test_anything_else_is_refused_or_a_moment_in_utc(value: Any) -> None:
    try:
        loaded = Instant().deserialize(value)
    except ValidationError:
        return
    assert loaded.tzinfo is UTC


class PersonSchema(Schema):
    """Somebody known by a URL of a neighbour."""

    url = Link("root", attribute="nothing")
    person = Relation("auth", "/users/", attribute="person_id")


@pytest.fixture(scope="module")
def app(tmp_path_factory: Any) -> Any:
    service = Service("x", "glassware", (), siblings={"auth": "http://127.0.0.1:7001/base/"})
    place = str(tmp_path_factory.mktemp("state"))
    settings = {"service.secrets_dir": place, "service.state_dir": place}
    return service.create_app({"service.mode": "development", **settings}, environ={})


def test_a_relation_is_a_url_out_and_an_id_in(app: Any) -> None:
    person = uuid4()
    url = f"http://127.0.0.1:7001/base/users/{person}"
    with app.test_request_context():
        document = PersonSchema().dump({"person_id": person, "nothing": None})
        assert document == {"url": None, "person": url}
        assert PersonSchema().load({"person": url}) == {"person_id": person}
        assert PersonSchema().dump({"person_id": None, "nothing": None})["person"] is None


ID = "0190a1b2-0000-7000-8000-00000000abcd"
HERE = "http://127.0.0.1:7001/base/users/"


@pytest.mark.parametrize(
    "url",
    [
        ID,
        f"/base/users/{ID}",
        f"//127.0.0.1:7001/base/users/{ID}",
        f"https://127.0.0.1:7001/base/users/{ID}",
        f"HTTP://127.0.0.1:7001/base/users/{ID}",
        f"http://127.0.0.1:70011/base/users/{ID}",
        f"http://127.0.0.1/base/users/{ID}",
        f"http://evil.example/base/users/{ID}",
        f"http://127.0.0.1:7001@evil.example/base/users/{ID}",
        f"http://evil.example@127.0.0.1:7001/base/users/{ID}",
        f"http://127.0.0.1:7001.evil.example/base/users/{ID}",
        f"http://127.0.0.1:7001/users/{ID}",
        f"http://127.0.0.1:7001/base/../base/users/{ID}",
        f"http://127.0.0.1:7001/base//users/{ID}",
        f"{HERE}{ID}/",
        f"{HERE}{ID}?a=b",
        f"{HERE}{ID}#a",
        f"{HERE}{ID}\n",
        f" {HERE}{ID}",
        f"{HERE}{ID.upper()}",
        f"{HERE}{{{ID}}}",
        f"{HERE}urn:uuid:{ID}",
        f"{HERE}{ID.replace('-', '')}",
        f"{HERE}../users/{ID}",
        f"{HERE}%30{ID[1:]}",
        f"{HERE}\u0660{ID[1:]}",
        HERE,
        "",
        None,
        1,
        [f"{HERE}{ID}"],
        {"url": f"{HERE}{ID}"},
    ],
)
def test_another_host_or_spelling_is_no_relation(app: Any, url: Any) -> None:
    with app.test_request_context(), pytest.raises(ValidationError) as refused:
        PersonSchema().load({"person": url})
    assert "evil" not in str(refused.value.messages)


def test_a_link_is_not_taken_in(app: Any) -> None:
    with app.test_request_context(), pytest.raises(ValidationError, match="Unknown field"):
        PersonSchema().load({"url": "http://127.0.0.1/"})
