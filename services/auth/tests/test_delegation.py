"""Token exchange (RFC 8693): a delegate acts for a person, within bounds, and nobody else does."""

from __future__ import annotations

import time

import jwt
import pytest

from glassware.testing import assert_problem
from glassware_auth.domain.delegation import ACCESS, JWT, REFRESH, TOKEN_EXCHANGE

from .test_token_endpoint import assert_refused


@pytest.fixture(scope="module")
def delegate(house):
    return house.account("tasks:read archives:write", delegate=True)


def exchange(house, client, token, **form):
    wanted = {"subject_token": token, "subject_token_type": ACCESS, **form}
    given = {name: value for name, value in wanted.items() if value is not None}
    return house.grant(client, grant_type=TOKEN_EXCHANGE, **given)


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


@pytest.mark.parametrize("kind", [ACCESS, JWT])
def test_a_delegate_has_a_token_of_the_persons_that_names_who_acts(house, delegate, kind):
    person = house.person()
    answer = exchange(house, delegate, person.token, subject_token_type=kind)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    grant, given = answer.json, claims(answer.json["access_token"])
    assert grant["issued_token_type"] == ACCESS
    assert grant["token_type"] == "Bearer"
    assert given["sub"] == person.subject
    assert given["client_id"] == delegate.name
    assert given["act"] == {"sub": delegate.name}
    assert set(given["scope"].split()) == {"tasks:read", "archives:write"}
    assert "refresh_token" not in grant


def test_what_is_exchanged_is_never_wider_or_longer_than_what_it_came_from(house, delegate):
    person = house.person(admin=True, token=False)
    body = {"email": person.name, "password": person.secret, "scope": "tasks:read users:admin"}
    person.token = house.post("/login", json=body).json["access_token"]
    time.sleep(1.1)
    grant = exchange(house, delegate, person.token, audience="glassware").json
    assert grant["scope"] == "tasks:read"
    assert claims(grant["access_token"])["exp"] <= claims(person.token)["exp"]
    assert grant["expires_in"] < claims(person.token)["exp"] - claims(person.token)["iat"]
    for scope in ("archives:write", "users:admin", "tasks:write"):
        assert_refused(exchange(house, delegate, person.token, scope=scope), "invalid_scope")
    stranger = house.account("clients:admin", delegate=True)
    assert_refused(exchange(house, stranger, person.token), "invalid_scope")


def test_only_a_delegate_exchanges(house, alice):
    plain = house.account("tasks:read")
    desk = house.account("tasks:read", first_party=True)
    for client in (plain, desk):
        for kind in (ACCESS, REFRESH):
            refused = exchange(house, client, alice.token, requested_token_type=kind)
            assert_refused(refused, "unauthorized_client")
    assert_refused(exchange(house, None, alice.token), "invalid_client", 401)
    assert_refused(exchange(house, None, alice.token, client_id="login"), "invalid_client", 401)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token": "x.y.z"}, "invalid_request"),
        ({"subject_token_type": None}, "invalid_request"),
        ({"subject_token_type": REFRESH}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"requested_token_type": "urn:x"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"audience": "another"}, "invalid_target"),
        ({"resource": "https://tasks.example.org"}, "invalid_target"),
        ({"scope": "nothing"}, "invalid_scope"),
    ],
)
def test_what_is_not_had_here_is_refused_and_not_ignored(house, delegate, alice, form, error):
    token = form.pop("subject_token", alice.token)
    assert_refused(exchange(house, delegate, token, **form), error)


def test_only_a_persons_own_token_is_exchanged(house, delegate, alice):
    account = house.account("tasks:read")
    assert_refused(exchange(house, delegate, account.token), "invalid_request")
    second = exchange(house, delegate, alice.token).json["access_token"]
    assert_refused(exchange(house, delegate, second), "invalid_request")
    forged = jwt.encode(claims(alice.token), "a secret that is long enough, too", "HS256")
    assert_refused(exchange(house, delegate, forged), "invalid_request")


def test_a_delegate_acts_when_the_person_is_gone_and_may_begin_anew_as_often_as_it_must(
    house, delegate
):
    person = house.person()
    kept = exchange(house, delegate, person.token, requested_token_type=REFRESH, scope="tasks:read")
    assert kept.json["issued_token_type"] == REFRESH
    assert kept.json["token_type"] == "N_A"
    assert kept.json["expires_in"] == 86_400
    token = kept.json["access_token"]
    for _ in range(3):
        grant = house.refresh(token, delegate).json
        given = claims(grant["access_token"])
        assert (given["sub"], given["act"]) == (person.subject, {"sub": delegate.name})
        assert given["scope"] == "tasks:read"
        assert "refresh_token" not in grant
    assert_refused(house.refresh(token, delegate, scope="archives:write"), "invalid_scope")


def test_what_a_delegate_keeps_is_of_no_use_to_anybody_else(house, delegate, alice):
    token = exchange(house, delegate, alice.token, requested_token_type=REFRESH).json[
        "access_token"
    ]
    other = house.account("tasks:read", delegate=True)
    assert_refused(house.refresh(token), "invalid_grant")
    assert_refused(house.refresh(token, other), "invalid_grant")
    assert_problem(house.get(alice.url, house.account("tasks:read")), 404)
    assert house.refresh(token, delegate).status_code == 200


ENDS = {
    "deactivated": lambda house, admin, person: house.change("DELETE", person.url, admin),
    "changed the password": lambda house, admin, person: house.post(
        f"{person.url}/password",
        person,
        json={"old_password": person.secret, "new_password": "another one, as long"},
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_who_is_deactivated_or_changes_the_password_is_acted_for_no_more(
    house, delegate, admin, how
):
    person = house.person()
    token = exchange(house, delegate, person.token, requested_token_type=REFRESH).json[
        "access_token"
    ]
    assert ENDS[how](house, admin, person).status_code == 204
    assert_refused(house.refresh(token, delegate), "invalid_grant")


def test_who_may_not_sign_in_is_not_acted_for(house, delegate):
    person = house.person()
    house.set(person, active=False)
    for kind in (ACCESS, REFRESH):
        refused = exchange(house, delegate, person.token, requested_token_type=kind)
        assert_refused(refused, "invalid_request")


def test_a_client_that_is_a_delegate_no_more_loses_what_it_kept(house, admin, alice):
    client = house.account("tasks:read", delegate=True)
    token = exchange(house, client, alice.token, requested_token_type=REFRESH).json["access_token"]
    clerk = house.account("clients:admin tasks:read")
    (item,) = house.get(f"/clients?client_id={client.name}", clerk).json["items"]
    assert item["delegate"] is True
    assert house.change("PATCH", item["url"], clerk, {"delegate": False}).status_code == 200
    assert_refused(house.refresh(token, client), "invalid_grant")
    assert_refused(exchange(house, client, alice.token), "unauthorized_client")


def test_a_delegation_ends(start):
    house = start({"auth.delegation_lifetime": "1"})
    client, person = house.account("tasks:read", delegate=True), house.person()
    token = exchange(house, client, person.token, requested_token_type=REFRESH).json["access_token"]
    assert house.refresh(token, client).status_code == 200
    time.sleep(1.1)
    assert_refused(house.refresh(token, client), "invalid_grant")
