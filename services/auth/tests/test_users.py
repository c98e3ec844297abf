from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from glassware.testing import assert_problem

PASSWORD = "correct horse battery staple"


def registration(house, **changes):
    return {"email": house.new_email(), "name": "Ada", "password": PASSWORD, **changes}


def test_registering_answers_with_a_link_to_the_person(house):
    answer = house.post("/users", json=registration(house, email="Ada@Example.ORG"))
    assert answer.status_code == 201
    document = answer.json
    assert answer.headers["Location"] == document["url"]
    assert document["email"] == "ada@example.org"
    assert document["activated_at"] is None
    assert document["active"] is True
    assert document["admin"] is False


def test_no_answer_ever_holds_a_password_or_its_hash(house, admin):
    body = registration(house)
    made = house.post("/users", json=body)
    read = house.get(made.json["url"], admin)
    listed = house.get("/users?limit=200", admin)
    for answer in (made, read, listed):
        assert "password" not in answer.text
        assert "argon2" not in answer.text
        assert PASSWORD not in answer.text


def test_registering_in_xml_is_registering_in_json(house, admin):
    email = house.new_email()
    facts = f"<email>{email}</email><name>Ada &amp; B</name><password>{PASSWORD}</password>"
    headers = {"Content-Type": "application/xml", "Accept": "application/xml"}
    made = house.post("/users", data=f"<user>{facts}</user>", headers=headers)
    assert made.status_code == 201
    root = ET.fromstring(made.data)
    read = house.get(made.headers["Location"], admin).json
    for name in ("url", "id", "email", "name"):
        assert root.findtext(name) == read[name]
    assert read["name"] == "Ada & B"
    assert root.findtext("active") == "true"


def test_an_email_is_taken_once_in_whatever_case(house):
    body = registration(house)
    assert house.post("/users", json=body).status_code == 201
    again = house.post("/users", json={**body, "email": body["email"].upper()})
    assert_problem(again, 409, "conflict")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "a@b@c.de"}, "email"),
        ({"email": "a\u00e9@example.org"}, "email"),
        ({"email": "\uff21da@example.org"}, "email"),
        ({"email": '"a b"@example.org'}, "email"),
        ({"email": "a@example.org\n"}, "email"),
        ({"email": "a" * 250 + "@example.org"}, "email"),
        ({"email": None}, "email"),
        ({"email": 7}, "email"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"password": "eleven char"}, "password"),
        ({"password": "x" * 201}, "password"),
        ({"password": "with a\ttabulator"}, "password"),
        ({"password": "with a\u0085next line"}, "password"),
        ({"password": ["a", "list"]}, "password"),
        ({"admin": True}, "admin"),
        ({"active": False}, "active"),
        ({"activated_at": "2026-01-01T00:00:00Z"}, "activated_at"),
        ({"nickname": "x"}, "nickname"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(house, changes, field):
    problem = assert_problem(house.post("/users", json=registration(house, **changes)), 422)
    assert field in problem["errors"]


def test_registration_can_be_closed_to_all_but_administrators(start):
    house = start({"auth.registration": "closed"})
    admin, stranger = house.person(admin=True), house.person()
    assert_problem(house.post("/users", json=registration(house)), 401)
    assert_problem(house.post("/users", stranger, json=registration(house)), 403)
    made = house.post("/users", admin, json=registration(house))
    assert made.status_code == 201
    # An administrator's word stands for the link.
    assert made.json["activated_at"] is not None
    assert "activation" not in made.json


def test_a_stranger_and_a_missing_person_look_alike(house, alice, bob):
    missing = house.get("/users/01a1f84d-2dde-76a3-994d-5e2cb04d316d", alice)
    other = house.get(bob.url, alice)
    problems = [assert_problem(answer, 404, "not-found") for answer in (missing, other)]
    assert problems[0].keys() == problems[1].keys()


def test_a_service_with_users_read_reads_anybody_and_changes_nobody(house, alice):
    reader = house.account("users:read")
    answer = house.get(alice.url, reader)
    assert answer.json["id"] == alice.subject
    headers = {"If-Match": answer.headers["ETag"]}
    assert_problem(house.call("DELETE", alice.url, reader, headers=headers), 404)
    assert_problem(house.get("/users", reader), 403)


def test_administrators_list_filter_and_sort_people(house, admin, alice, bob):
    listed = house.get("/users?sort=-email&limit=2", admin).json
    emails = [item["email"] for item in listed["items"]]
    while listed["next"]:
        listed = house.get(listed["next"], admin).json
        emails += [item["email"] for item in listed["items"]]
    assert emails == sorted(emails, reverse=True)
    assert {alice.name, bob.name, admin.name} <= set(emails)
    found = house.get(f"/users?email={alice.name.upper()}", admin).json["items"]
    assert [item["id"] for item in found] == [alice.subject]


def test_people_change_their_own_name_by_put_and_patch(house):
    person = house.person()
    assert house.change("PATCH", person.url, person, {"name": "New"}).json["name"] == "New"
    assert house.change("PUT", person.url, person, {"name": "Newer"}).json["name"] == "Newer"
    assert house.get(person.url, person).json["name"] == "Newer"


def test_a_change_needs_the_version_it_changes(house, alice):
    answer = house.call("PUT", alice.url, alice, json={"name": "x"})
    assert_problem(answer, 428)
    stale = {"If-Match": '"0000-0000"'}
    assert_problem(house.call("PUT", alice.url, alice, json={"name": "x"}, headers=stale), 412)


@pytest.mark.parametrize("field", ["email", "admin", "id", "password", "activated_at"])
def test_nobody_changes_what_is_not_theirs_to_change(house, alice, field):
    problem = assert_problem(house.change("PATCH", alice.url, alice, {field: "x"}), 422)
    assert field in problem["errors"]


def test_only_an_administrator_changes_active(house, admin):
    person = house.person()
    assert_problem(house.change("PATCH", person.url, person, {"active": False}), 403)
    assert house.change("PATCH", person.url, admin, {"active": False}).json["active"] is False
    assert_problem(house.login(person), 403)
    assert house.change("PATCH", person.url, admin, {"active": True}).json["active"] is True
    assert house.login(person).status_code == 200


def test_being_deactivated_ends_every_session_for_good(house, admin):
    person = house.person(token=False)
    token = house.login(person).json["refresh_token"]
    house.change("PATCH", person.url, admin, {"active": False})
    house.change("PATCH", person.url, admin, {"active": True})
    assert house.refresh(token).json["error"] == "invalid_grant"


def test_whoever_deletes_themselves_is_deactivated_at_once(house, admin):
    person = house.person()
    session = house.login(person).json
    assert house.change("DELETE", person.url, person).status_code == 204
    # The token would hold for minutes yet; here it reaches nothing any more.
    assert_problem(house.get(person.url, person), 403)
    assert_problem(house.login(person), 403)
    assert house.refresh(session["refresh_token"]).json["error"] == "invalid_grant"
    assert house.get(person.url, admin).json["active"] is False


def test_a_deactivated_administrator_cannot_restore_themselves(house):
    admin = house.person(admin=True)
    tag = house.get(admin.url, admin).headers["ETag"]
    house.set(admin, active=False)
    body = {"name": "Back", "active": True}
    assert_problem(house.call("PUT", admin.url, admin, json=body, headers={"If-Match": tag}), 403)
    assert_problem(house.get("/users", admin), 403)
    made = house.post("/users", admin, json=registration(house))
    assert made.json["activated_at"] is None


def test_a_new_password_ends_the_old_one_and_every_session(house):
    person = house.person()
    session = house.login(person).json
    body = {"old_password": person.secret, "new_password": "another one, as long"}
    assert house.post(f"{person.url}/password", person, json=body).status_code == 204
    assert house.refresh(session["refresh_token"]).json["error"] == "invalid_grant"
    assert_problem(house.login(person), 401)
    person.secret = body["new_password"]
    assert house.login(person).status_code == 200


def test_a_new_password_needs_the_old_one_and_guessing_it_is_limited(start):
    house = start({"auth.failures": "2"})
    person = house.person()
    body = {"old_password": "not this one", "new_password": "another one, as long"}
    for _ in range(2):
        problem = assert_problem(house.post(f"{person.url}/password", person, json=body), 422)
        assert "old_password" in problem["errors"]
    refused = house.post(f"{person.url}/password", person, json=body)
    assert_problem(refused, 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 300


def test_nobody_sets_the_password_of_another(house, admin, alice):
    body = {"old_password": alice.secret, "new_password": "another one, as long"}
    assert_problem(house.post(f"{alice.url}/password", admin, json=body), 404)


def test_one_password_is_one_however_the_keyboard_composes_it(house):
    person = house.person()
    body = {"old_password": person.secret, "new_password": "cafe\u0301 au lait, chaud"}
    assert house.post(f"{person.url}/password", person, json=body).status_code == 204
    person.secret = "caf\u00e9 au lait, chaud"
    assert house.login(person).status_code == 200
