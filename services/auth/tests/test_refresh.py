from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from glassware.db import now
from glassware.db.once import sweep_out
from glassware.problems import UnauthorizedProblem
from glassware_auth.domain import families
from glassware_auth.models import Family, db


def assert_refused(answer):
    assert answer.status_code == 400
    assert answer.json["error"] == "invalid_grant"


def age(house, person, seconds):
    """Let the person's sessions have been refreshed so long ago."""
    with house.app.app_context():
        for family in db.session.scalars(select(Family)):
            if str(family.user_id) == person.subject:
                family.turned_at = now() - timedelta(seconds=seconds)
        db.session.commit()


def sessions(house, person):
    with house.app.app_context():
        rows = db.session.scalars(select(Family)).all()
        return sum(str(family.user_id) == person.subject for family in rows)


def together(count, work):
    """Run the work in so many threads at once; return what each returned."""
    barrier, results = threading.Barrier(count), []

    def run():
        barrier.wait()
        results.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def person(house):
    return house.person(token=False)


@pytest.fixture
def token(house, person):
    return house.login(person).json["refresh_token"]


def test_each_refresh_gives_a_new_token_of_the_same_scope(house, token):
    seen = {token}
    for _ in range(4):
        grant = house.refresh(token).json
        assert grant["scope"] == "tasks:read tasks:write archives:write"
        assert grant["access_token"]
        token = grant["refresh_token"]
        assert token not in seen
        seen.add(token)


def test_a_session_is_one_row_however_often_it_is_refreshed(house, person, token):
    for _ in range(5):
        token = house.refresh(token).json["refresh_token"]
    assert sessions(house, person) == 1


def test_a_repeated_request_gets_the_same_child(house, token):
    first, again = house.refresh(token).json, house.refresh(token).json
    assert first["refresh_token"] == again["refresh_token"]
    assert house.refresh(first["refresh_token"]).status_code == 200


def test_a_token_that_comes_again_after_the_grace_ends_the_family(house, person, token):
    child = house.refresh(token).json["refresh_token"]
    age(house, person, 11)
    assert_refused(house.refresh(token))
    assert_refused(house.refresh(child))
    assert sessions(house, person) == 0


def test_a_grandparent_is_refused_even_within_the_grace(house, token):
    child = house.refresh(token).json["refresh_token"]
    grandchild = house.refresh(child).json["refresh_token"]
    assert_refused(house.refresh(token))
    assert_refused(house.refresh(grandchild))


def test_the_end_of_one_family_leaves_the_others(house, person, token):
    other = house.login(person).json["refresh_token"]
    house.refresh(token)
    age(house, person, 11)
    assert_refused(house.refresh(token))
    assert house.refresh(other).status_code == 200


def test_twenty_refreshes_at_once_give_one_child(house, person, token):
    grants = together(20, lambda: house.refresh(token))
    assert [grant.status_code for grant in grants] == [200] * 20
    assert len({grant.json["refresh_token"] for grant in grants}) == 1
    assert len({grant.json["access_token"] for grant in grants}) == 20
    with house.app.app_context():
        (family,) = (
            family
            for family in db.session.scalars(select(Family))
            if str(family.user_id) == person.subject
        )
        assert family.generation == 1


def test_without_a_grace_one_of_twenty_gets_a_child_and_the_family_ends(start):
    house = start({"auth.refresh_grace": "0"})
    person = house.person(token=False)
    token = house.login(person).json["refresh_token"]
    grants = together(20, lambda: house.refresh(token))
    good = [grant for grant in grants if grant.status_code == 200]
    assert len(good) <= 1
    assert sessions(house, person) == 0
    for grant in good:
        assert_refused(house.refresh(grant.json["refresh_token"]))


def test_a_used_token_is_still_used_after_a_restart(start, restart):
    house = start()
    person = house.person(token=False)
    token = house.login(person).json["refresh_token"]
    child = house.refresh(token).json["refresh_token"]
    age(house, person, 11)
    house = restart(house)
    assert_refused(house.refresh(token))
    assert_refused(house.refresh(child))


def test_a_session_survives_a_restart(start, restart):
    house = start()
    token = house.login(house.person(token=False)).json["refresh_token"]
    house = restart(house)
    assert house.refresh(token).status_code == 200


def test_a_session_ends_at_its_time_and_leaves_no_row(start):
    house = start()
    person = house.person(token=False)
    token = house.login(person).json["refresh_token"]
    with house.app.app_context():
        db.session.scalars(select(Family)).one().expires_at = now()
        db.session.commit()
    assert_refused(house.refresh(token))
    house.login(person)
    with house.app.app_context():
        assert db.session.scalar(select(func.count(Family.id))) == 1


def test_refreshing_narrows_the_token_and_not_the_session(house, token):
    narrow = house.refresh(token, scope="tasks:read").json
    assert narrow["scope"] == "tasks:read"
    whole = house.refresh(narrow["refresh_token"]).json
    assert whole["scope"] == "tasks:read tasks:write archives:write"


def test_refreshing_never_widens_and_a_refused_one_uses_nothing_up(house, admin):
    body = {"email": admin.name, "password": admin.secret, "scope": "tasks:read"}
    token = house.post("/login", json=body).json["refresh_token"]
    wide = house.refresh(token, scope="tasks:read users:admin")
    assert wide.json["error"] == "invalid_scope"
    assert house.refresh(token).json["scope"] == "tasks:read"


def test_who_is_no_administrator_any_more_refreshes_as_everybody(house):
    person = house.person(admin=True, token=False)
    token = house.login(person).json["refresh_token"]
    house.set(person, admin=False)
    assert house.refresh(token).json["scope"] == "tasks:read tasks:write archives:write"


def test_a_session_refused_to_a_disabled_person_is_over_for_good(house, person, token):
    house.set(person, active=False)
    assert_refused(house.refresh(token))
    house.set(person, active=True)
    assert_refused(house.refresh(token))
    assert sessions(house, person) == 0


def test_a_token_is_refreshed_by_its_own_client_only(house, person, token):
    desk = house.account("tasks:read", first_party=True)
    other = house.account("tasks:read", first_party=True)
    form = {"grant_type": "password", "username": person.name, "password": person.secret}
    by_desk = house.grant(desk, **form).json["refresh_token"]
    assert_refused(house.refresh(by_desk))
    assert_refused(house.refresh(by_desk, other))
    assert_refused(house.refresh(token, desk))
    # Who was refused did not use it up.
    assert house.refresh(by_desk, desk).status_code == 200
    assert house.refresh(token).status_code == 200


def test_any_changed_character_is_refused(house, token):
    for place in range(len(token)):
        wrong = "A" if token[place] != "A" else "B"
        assert_refused(house.refresh(token[:place] + wrong + token[place + 1 :]))
    assert house.refresh(token).status_code == 200


def test_another_spelling_of_the_token_is_refused(house, token):
    for other in (f"{token}=", f"{token}A", f" {token}", token.removeprefix("gwr_"), token + "\n"):
        assert house.refresh(other).status_code == 400
    assert house.refresh(token).status_code == 200


CONFIG = {"app.secret_key": "a" * 32}


@given(st.uuids(), st.integers(0, 2**32 - 1))
def test_a_token_says_which_session_and_generation_it_is(identifier, generation):
    token = families.write(CONFIG, identifier, generation)
    assert families.read(CONFIG, token) == (identifier, generation)
    with pytest.raises(UnauthorizedProblem):
        families.read({"app.secret_key": "b" * 32}, token)


@given(st.text() | st.binary().map(lambda data: families.PREFIX + data.hex()))
def test_any_text_is_refused_and_never_a_fault(text):
    with pytest.raises(UnauthorizedProblem):
        families.read(CONFIG, text)


def test_sessions_of_those_who_never_come_back_end_too(house, person, token):
    stays = house.login(house.person(token=False)).json["refresh_token"]
    with house.app.app_context():
        for family in db.session.scalars(select(Family)):
            if str(family.user_id) == person.subject:
                family.expires_at = now()
        db.session.commit()
        sweep_out(db.engine, db.metadata)
    assert sessions(house, person) == 0
    assert_refused(house.refresh(token))
    assert house.refresh(stays).status_code == 200
