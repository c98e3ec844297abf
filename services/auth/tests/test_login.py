from __future__ import annotations

import statistics
import threading
import time
import xml.etree.ElementTree as ET

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from glassware.auth.network import network_of
from glassware.problems import UnavailableProblem
from glassware.testing import assert_problem
from glassware_auth.domain.passwords import HASHER, NOBODY, Passwords
from glassware_auth.models import Attempt, User, db


def attempt(house, email, password="wrong wrong wrong", **kwargs):
    return house.post("/login", json={"email": email, "password": password}, **kwargs)


def test_a_person_signs_in_and_the_token_opens_their_account(house, alice):
    answer = house.login(alice)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 3600
    assert answer.json["scope"] == "tasks:read tasks:write archives:write"
    headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert house.get(alice.url, headers=headers).json["id"] == alice.subject


def test_the_email_is_the_same_in_any_case(house, alice):
    assert attempt(house, alice.name.upper(), alice.secret).status_code == 200


def test_signing_in_by_xml_is_signing_in_by_json(house, alice):
    body = f"<login><email>{alice.name}</email><password>{alice.secret}</password></login>"
    headers = {"Content-Type": "application/xml", "Accept": "application/xml"}
    answer = house.post("/login", data=body, headers=headers)
    root = ET.fromstring(answer.data)
    assert {child.tag for child in root} == set(house.login(alice).json)
    headers = {"Authorization": f"Bearer {root.findtext('access_token')}"}
    assert house.get(alice.url, headers=headers).status_code == 200
    wrong = body.replace(alice.secret, "wrong wrong wrong")
    headers = {"Content-Type": "application/xml", "Accept": "application/xml"}
    refused = house.post("/login", data=wrong, headers=headers)
    assert refused.mimetype == "application/problem+xml"
    assert_problem(refused, 401, "unauthorized")


def test_administrators_get_their_scopes_beside_those_of_everybody(house, admin):
    scopes = house.login(admin).json["scope"].split()
    assert scopes[:3] == ["tasks:read", "tasks:write", "archives:write"]
    assert set(scopes[3:]) == {"users:admin", "users:read", "clients:admin", "tasks:admin"}


def test_a_narrow_token_reaches_no_further_than_it_says(house, admin):
    body = {"email": admin.name, "password": admin.secret, "scope": "tasks:read"}
    answer = house.post("/login", json=body).json
    assert answer["scope"] == "tasks:read"
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert_problem(house.get("/users", headers=headers), 403)


@pytest.mark.parametrize("scope", ["users:admin", "tasks:read users:admin", "anything"])
def test_nobody_signs_in_for_more_than_they_may(house, alice, scope):
    body = {"email": alice.name, "password": alice.secret, "scope": scope}
    problem = assert_problem(house.post("/login", json=body), 403, "scope-exceeded")
    assert problem["allowed"] == ["tasks:read", "tasks:write", "archives:write"]


def test_a_wrong_password_and_an_unknown_person_get_one_answer(house, bob):
    wrong = assert_problem(attempt(house, bob.name), 401, "unauthorized")
    unknown = assert_problem(attempt(house, "nobody@example.org"), 401, "unauthorized")
    for answer in (wrong, unknown):
        del answer["request_id"]
    assert wrong == unknown


def test_an_unknown_person_takes_as_long_as_a_wrong_password(house):
    """Both run one argon2; without it an unknown person would take a fifth of the time."""
    known = [house.new_email() for _ in range(9)]
    with house.app.app_context():
        for email in known:
            db.session.add(User(email=email, name="x", password_hash=HASHER.hash("x" * 12)))
        db.session.commit()

    def seconds(email):
        began = time.process_time()
        assert attempt(house, email).status_code == 401
        return time.process_time() - began

    pairs = [(seconds(email), seconds(f"un{email}")) for email in known]
    there, absent = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert 0.6 < absent / there < 1.6


def test_the_hash_of_nobody_costs_what_every_hash_costs():
    ours = argon2.extract_parameters(HASHER.hash("x" * 12))
    assert argon2.extract_parameters(NOBODY) == ours
    assert (ours.type, ours.time_cost, ours.parallelism) == (argon2.Type.ID, 2, 1)
    assert ours.memory_cost == 19 * 1024
    assert not Passwords(1).verify("anything", None)


def test_an_account_that_is_not_activated_is_told_so_only_by_the_right_password(house):
    person = house.person(activated=False)
    assert_problem(attempt(house, person.name), 401)
    assert_problem(house.login(person), 403)


def test_a_hash_of_former_parameters_is_renewed_when_its_owner_signs_in(house):
    person = house.person(token=False)
    old = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(person.secret)
    house.set(person, password_hash=old)
    assert house.login(person).status_code == 200
    with house.app.app_context():
        renewed = db.session.scalar(select(User).filter_by(email=person.name)).password_hash
    assert argon2.extract_parameters(renewed).memory_cost == 19 * 1024
    assert house.login(person).status_code == 200


def test_failures_are_limited_by_account_and_network_together(house):
    person = house.person(token=False)
    for _ in range(5):
        assert_problem(attempt(house, person.name, address="198.51.100.7"), 401)
    refused = attempt(house, person.name, person.secret, address="198.51.100.7")
    assert_problem(refused, 429, "too-many-requests")
    assert 290 <= int(refused.headers["Retry-After"]) <= 301
    # The owner is elsewhere, and others are behind the same address: neither is locked out.
    assert house.login(person, address="203.0.113.9").status_code == 200
    other = house.person(token=False)
    assert house.login(other, address="198.51.100.7").status_code == 200


def test_an_unknown_account_is_limited_as_a_known_one_is(house):
    email = house.new_email()
    codes = [attempt(house, email, address="198.51.100.8").status_code for _ in range(7)]
    assert codes == [401] * 5 + [429] * 2


def test_the_right_password_forgives_the_failures(house):
    person = house.person(token=False)
    for _ in range(3):
        for _ in range(4):
            assert_problem(attempt(house, person.name), 401)
        assert house.login(person).status_code == 200


def test_the_limit_ends_with_the_window_even_for_who_goes_on_trying(start):
    house = start({"auth.failures": "2", "auth.failures_window": "1"})
    person = house.person(token=False)
    codes, began = [], time.monotonic()
    while not codes or (codes[-1] != 200 and time.monotonic() - began < 3):
        codes.append(attempt(house, person.name).status_code if len(codes) < 2 else 0)
        if codes[-1] == 0:
            codes[-1] = house.login(person).status_code
            time.sleep(0.1)
    assert codes[:3] == [401, 401, 429]
    assert codes[-1] == 200


def test_a_burst_of_guesses_gets_no_further_than_a_row_of_them(house):
    email = house.new_email()
    barrier, codes = threading.Barrier(20), []

    def guess():
        barrier.wait()
        codes.append(attempt(house, email, address="198.51.100.9").status_code)

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {401, 429}
    assert codes.count(401) <= 5


def test_what_was_typed_as_email_is_not_kept(house):
    email = house.new_email()
    attempt(house, email)
    with house.app.app_context():
        accounts = db.session.scalars(select(Attempt.account)).all()
    assert accounts
    assert not [account for account in accounts if "@" in account]


def test_old_attempts_leave_no_rows(start):
    house = start({"auth.failures_window": "1"})
    for number in range(3):
        attempt(house, f"somebody{number}@example.org")
    time.sleep(1.05)
    attempt(house, "another@example.org")
    with house.app.app_context():
        assert db.session.scalar(select(func.count(Attempt.id))) == 1


def test_who_gets_no_turn_to_hash_is_told_to_come_again():
    passwords = Passwords(1, patience=0.01)
    with passwords._turn(), pytest.raises(UnavailableProblem) as refused:
        passwords.hash("x" * 12)
    assert refused.value.headers["Retry-After"]
    assert passwords.verify("x" * 12, passwords.hash("x" * 12))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "local"),
        (None, "local"),
        ("010.1.1.1", "local"),
    ],
)
def test_a_network_is_what_one_customer_is_given(address, network):
    assert network_of(address) == network


@given(st.ip_addresses())
def test_every_network_fits_its_column(address):
    assert len(network_of(str(address))) <= 43
