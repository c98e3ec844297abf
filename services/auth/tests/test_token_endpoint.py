"""RFC 6749: the token endpoint, its clients and its errors."""

from __future__ import annotations

import base64
import json

import pytest

from glassware.testing import assert_problem
from glassware_auth.domain.delegation import TOKEN_EXCHANGE

KINDS = {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"}
KINDS |= {"unsupported_grant_type", "invalid_scope", "invalid_target"}


def assert_refused(answer, error, status=400):
    """Assert the shape of RFC 6749 section 5.2."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    document = answer.json
    assert document["error"] == error
    assert error in KINDS
    # Section 5.2: no quotes, no backslashes, printable ASCII.
    allowed = {0x20, 0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)}
    assert set(document["error_description"].encode()) <= allowed
    return document


def claims(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


@pytest.fixture(scope="module")
def worker(house):
    return house.account("tasks:read tasks:write")


@pytest.fixture(scope="module")
def desk(house):
    return house.account("tasks:read users:admin", first_party=True)


def test_a_service_account_gets_a_token_for_itself(house, worker):
    answer = house.grant(worker, grant_type="client_credentials")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    document = answer.json
    assert set(document) == {"access_token", "token_type", "expires_in", "scope"}
    assert document["scope"] == "tasks:read tasks:write"
    said = claims(document["access_token"])
    assert set(said) == {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "client_id"}
    assert said["sub"] == said["client_id"] == worker.name
    assert said["iss"] == "http://127.0.0.1:7001"
    assert said["aud"] == "glassware"
    assert said["exp"] - said["iat"] == 3600
    assert said["nbf"] == said["iat"]


def test_no_two_tokens_have_one_id(house, worker):
    grants = [house.grant(worker, grant_type="client_credentials").json for _ in range(5)]
    assert len({claims(grant["access_token"])["jti"] for grant in grants}) == 5


def test_the_secret_may_stand_in_the_form(house, worker):
    form = {"client_id": worker.name, "client_secret": worker.secret}
    assert house.grant(grant_type="client_credentials", **form).status_code == 200


def test_the_scope_narrows_and_never_widens(house, worker):
    grant = house.grant(worker, grant_type="client_credentials", scope="tasks:read").json
    assert grant["scope"] == claims(grant["access_token"])["scope"] == "tasks:read"
    wide = house.grant(worker, grant_type="client_credentials", scope="tasks:read users:admin")
    assert_refused(wide, "invalid_scope")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials" * 300}, "invalid_request"),
        ({"grant_type": "client_credentials\0"}, "invalid_request"),
        ({"grant_type": "password"}, "unauthorized_client"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "client_credentials", "scope": "nothing"}, "invalid_scope"),
        ({"grant_type": "client_credentials", "client_secret": "x"}, "invalid_request"),
        ({"grant_type": "client_credentials", "client_id": "another"}, "invalid_request"),
    ],
)
def test_each_error_has_its_code(house, worker, form, error):
    assert_refused(house.grant(worker, **form), error)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"grant_type=client_credentials&grant_type=password", None),
        (b"grant_type=%ff", None),
        (b"&".join(b"p%d=x" % number for number in range(60)), None),
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"<a><grant_type>client_credentials</grant_type></a>", "application/xml"),
        (b"grant_type=client_credentials", "text/plain"),
        (b"grant_type=client_credentials", ""),
        (b"", None),
    ],
)
def test_a_body_that_is_no_form_is_an_invalid_request(house, body, kind):
    kind = "application/x-www-form-urlencoded" if kind is None else kind
    answer = house.post("/oauth/token", data=body, content_type=kind)
    assert_refused(answer, "invalid_request")


def test_parameters_nobody_knows_are_ignored(house, worker):
    answer = house.grant(worker, grant_type="client_credentials", resource="x", audience="y")
    assert answer.status_code == 200


def test_a_client_that_does_not_prove_itself_is_challenged(house, worker):
    for name, secret in (
        (worker.name, "wrong"),
        ("nobody", worker.secret),
        ("", ""),
        ("x", "é"),
        ("a\0b", "x"),
    ):
        pair = base64.b64encode(f"{name}:{secret}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        form = {"grant_type": "client_credentials"}
        answer = house.post("/oauth/token", data=form, headers=headers)
        assert_refused(answer, "invalid_client", 401)
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("header", ["Basic", "Basic x", "Basic !!!", "Bearer x", "Basic eDp5Ong="])
def test_any_other_authorization_authenticates_nobody(house, header):
    headers = {"Authorization": header}
    form = {"grant_type": "client_credentials"}
    answer = house.post("/oauth/token", data=form, headers=headers)
    assert_refused(answer, "invalid_client", 401)


@pytest.mark.parametrize("grant_type", ["client_credentials", "password"])
def test_nobody_is_no_client(house, grant_type):
    assert_refused(house.grant(grant_type=grant_type), "invalid_client", 401)
    named = house.grant(grant_type=grant_type, client_id="login")
    assert_refused(named, "invalid_client", 401)


def test_a_first_party_client_signs_a_person_in_within_its_own_scopes(house, desk, alice, admin):
    form = {"grant_type": "password", "username": alice.name.upper(), "password": alice.secret}
    grant = house.grant(desk, **form).json
    assert grant["scope"] == "tasks:read"
    said = claims(grant["access_token"])
    assert (said["sub"], said["client_id"]) == (alice.subject, desk.name)
    form["username"] = admin.name
    assert house.grant(desk, **form).json["scope"] == "tasks:read users:admin"
    assert_refused(house.grant(desk, **form, scope="clients:admin"), "invalid_scope")


def test_the_password_grant_refuses_what_login_refuses(house, desk, alice):
    base = {"grant_type": "password", "username": alice.name}
    assert_refused(house.grant(desk, **base), "invalid_request")
    assert_refused(house.grant(desk, **base, password="wrong wrong"), "invalid_grant")
    unknown = {**base, "username": "nobody@example.org", "password": "wrong wrong"}
    assert_refused(house.grant(desk, **unknown), "invalid_grant")
    for _ in range(5):
        refused = house.grant(desk, **unknown)
    assert_problem(refused, 429, "too-many-requests")


def test_the_password_grant_can_be_off(start):
    house = start({"auth.password_grant": "off"})
    desk, person = house.account("tasks:read", first_party=True), house.person(token=False)
    form = {"grant_type": "password", "username": person.name, "password": person.secret}
    assert_refused(house.grant(desk, **form), "unsupported_grant_type")
    known = house.get("/.well-known/oauth-authorization-server").json
    assert set(known["grant_types_supported"]) == {
        "client_credentials",
        "refresh_token",
        TOKEN_EXCHANGE,
    }


DISABLED = [{"active": False}, {"activated_at": None}]


@pytest.mark.parametrize("state", DISABLED, ids=["deactivated", "not-activated"])
def test_no_grant_of_all_admits_a_disabled_person(house, desk, state):
    """The check is one; this walks every path that leads to it, tokens in use included."""
    person = house.person()
    form = {"grant_type": "password", "username": person.name, "password": person.secret}
    own, by_desk = house.login(person).json, house.grant(desk, **form).json
    house.set(person, **state)
    assert_problem(house.login(person), 403)
    assert_refused(house.grant(desk, **form), "invalid_grant")
    assert_refused(house.refresh(own["refresh_token"]), "invalid_grant")
    assert_refused(house.refresh(by_desk["refresh_token"], desk), "invalid_grant")
    assert_problem(house.get(person.url, person), 403)
    body = {"old_password": person.secret, "new_password": "another one, as long"}
    assert_problem(house.post(f"{person.url}/password", person, json=body), 403)


def test_no_grant_of_all_admits_a_disabled_client(house, admin, alice):
    desk = house.account("tasks:read clients:admin", first_party=True)
    form = {"grant_type": "password", "username": alice.name, "password": alice.secret}
    session = house.grant(desk, **form).json
    (item,) = house.get(f"/clients?client_id={desk.name}", admin).json["items"]
    assert house.change("DELETE", item["url"], admin).status_code == 204
    assert_refused(house.grant(desk, grant_type="client_credentials"), "invalid_client", 401)
    assert_refused(house.grant(desk, **form), "invalid_client", 401)
    assert_refused(house.refresh(session["refresh_token"], desk), "invalid_client", 401)
    assert_problem(house.get("/clients", desk), 403)


def test_the_metadata_lead_to_the_endpoints(house, worker):
    answer = house.get("/.well-known/oauth-authorization-server")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    about = answer.json
    assert about["issuer"] == "http://127.0.0.1:7001"
    assert about["response_types_supported"] == []
    assert set(about["grant_types_supported"]) == {
        "client_credentials",
        "password",
        "refresh_token",
        TOKEN_EXCHANGE,
    }
    assert house.get(about["jwks_uri"]).json["keys"]
    auth = (worker.name, worker.secret)
    form = {"grant_type": "client_credentials"}
    assert house.post(about["token_endpoint"], data=form, auth=auth).status_code == 200
