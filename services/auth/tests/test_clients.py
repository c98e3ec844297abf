from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from glassware.testing import assert_problem
from glassware_auth.models import Client, db


def facts(house, **changes):
    house.count += 1
    return {"client_id": f"maker-{house.count}", "scopes": ["tasks:read"], **changes}


def token_code(house, name, secret):
    form = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
    return house.grant(**form).status_code


@pytest.fixture
def made(house, admin):
    return house.post("/clients", admin, json=facts(house)).json


def test_the_secret_is_told_once_and_kept_by_a_digest(house, admin, made):
    assert re.fullmatch(r"gws_[\w-]{43}", made["client_secret"])
    assert token_code(house, made["client_id"], made["client_secret"]) == 200
    seen = house.get(made["url"], admin).text + house.get("/clients?limit=200", admin).text
    assert "secret" not in seen
    with house.app.app_context():
        row = db.session.scalar(select(Client).filter_by(client_id=made["client_id"]))
        assert re.fullmatch(r"[0-9a-f]{64}", row.secret_digest)


def test_a_client_in_xml_is_a_client_in_json(house, admin):
    body = facts(house)["client_id"]
    document = (
        f"<client><client_id>{body}</client_id>"
        "<scopes><scope>tasks:read</scope><scope>tasks:write</scope></scopes></client>"
    )
    headers = {"Content-Type": "application/xml"}
    made = house.post("/clients", admin, data=document, headers=headers)
    assert made.status_code == 201
    assert made.json["scopes"] == ["tasks:read", "tasks:write"]
    read = house.get(made.json["url"], admin, headers={"Accept": "application/xml"})
    assert "<scopes><scope>tasks:read</scope><scope>tasks:write</scope></scopes>" in read.text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"client_id": "login"}, "client_id"),
        ({"client_id": "ab"}, "client_id"),
        ({"client_id": "Has-Capitals"}, "client_id"),
        ({"client_id": "-dash"}, "client_id"),
        ({"client_id": "new\nline"}, "client_id"),
        ({"client_id": "01a1f84d-2dde-76a3-994d-5e2cb04d316d"}, "client_id"),
        ({"client_id": "a1a1f84d2dde76a3994d5e2cb04d316d"}, "client_id"),
        ({"scopes": ["two words"]}, "scopes.0"),
        ({"scopes": ["tasks:read\n"]}, "scopes.0"),
        ({"scopes": ['quo"te']}, "scopes.0"),
        ({"scopes": "tasks:read"}, "scopes"),
        ({"scopes": ["x:y"] * 51}, "scopes"),
        ({"scopes": None}, "scopes"),
        ({"first_party": "maybe"}, "first_party"),
        ({"client_secret": "x"}, "client_secret"),
        ({"active": True}, "active"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(house, admin, changes, field):
    problem = assert_problem(house.post("/clients", admin, json=facts(house, **changes)), 422)
    assert field in problem["errors"]


def test_a_name_is_given_once_even_after_its_client_is_gone(house, admin, made):
    assert house.change("DELETE", made["url"], admin).status_code == 204
    again = house.post("/clients", admin, json=facts(house, client_id=made["client_id"]))
    assert_problem(again, 409, "conflict")


def test_a_deactivated_client_gets_no_token_until_it_is_active_again(house, admin, made):
    house.change("DELETE", made["url"], admin)
    assert token_code(house, made["client_id"], made["client_secret"]) == 401
    back = {"active": True}
    assert house.change("PATCH", made["url"], admin, back).json["active"] is True
    assert token_code(house, made["client_id"], made["client_secret"]) == 200


def test_two_secrets_live_side_by_side_and_the_third_ends_the_first(house, admin, made):
    secrets = [made["client_secret"]]
    for _ in range(2):
        answer = house.post(f"{made['url']}/secret", admin)
        assert answer.headers["Cache-Control"] == "no-store"
        secrets.append(answer.json["client_secret"])
    codes = [token_code(house, made["client_id"], secret) for secret in secrets]
    assert codes == [401, 200, 200]


def test_a_change_of_scopes_holds_for_the_next_token(house, admin, made):
    new = {"scopes": ["tasks:write"], "first_party": False, "active": True}
    assert house.change("PUT", made["url"], admin, new).json["scopes"] == ["tasks:write"]
    form = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
    grant = house.grant(grant_type="client_credentials", **form).json
    assert grant["scope"] == "tasks:write"


def test_nobody_hands_out_more_than_they_hold(house, admin):
    """What one may make, change or take the secret of is never stronger than oneself."""
    clerk = house.account("clients:admin tasks:read")
    strong = house.post("/clients", admin, json=facts(house, scopes=["users:admin"])).json
    weak = house.post("/clients", clerk, json=facts(house)).json
    wide = {"scopes": ["users:admin"], "first_party": False, "active": True}
    narrow = {**wide, "scopes": ["tasks:read"]}
    for refused in (
        house.post("/clients", clerk, json=facts(house, scopes=["tasks:read", "users:admin"])),
        house.change("PUT", weak["url"], clerk, wide),
        house.change("PUT", strong["url"], clerk, narrow),
        house.post(f"{strong['url']}/secret", clerk),
    ):
        problem = assert_problem(refused, 403, "scope-exceeded")
        assert problem["allowed"] == ["clients:admin", "tasks:read"]
    assert house.post(f"{weak['url']}/secret", clerk).status_code == 200


def test_a_missing_client_has_no_secret(house, admin):
    missing = "/clients/01a1f84d-2dde-76a3-994d-5e2cb04d316d/secret"
    assert_problem(house.post(missing, admin), 404)
