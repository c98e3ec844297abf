"""Who may do what: every route, every method, every kind of caller, against one reviewed table.

A route or method that the table does not know fails the test, so none is added unseen.
"""

from __future__ import annotations

import pytest

from glassware_auth.resources import RESOURCES

PASSWORD = {"old_password": "wrong wrong wrong", "new_password": "another one, as long"}
CLIENT = {"scopes": ["tasks:read"], "first_party": False, "active": True}
BODIES = {
    ("/users", "POST"): {"email": "x", "name": "x", "password": "x"},
    ("/users/<uuid:id>", "PUT"): {"name": "A person"},
    ("/users/<uuid:id>", "PATCH"): {"name": "A person"},
    ("/users/<uuid:id>/password", "POST"): PASSWORD,
    ("/login", "POST"): {},
    ("/clients", "POST"): {"client_id": "-", "scopes": []},
    ("/clients/<uuid:id>", "PUT"): CLIENT,
    ("/clients/<uuid:id>", "PATCH"): {},
}
ROLES = (
    "anon",  # no token
    "self",  # the person that the URL names
    "other",  # another person
    "admin",
    "narrow",  # an administrator, by a token for tasks:read only
    "fired",  # an administrator who has been deactivated, and whose token still holds
    "plain",  # a service account without a scope
    "reader",  # a service account with users:read
    "clerk",  # a service account with clients:admin and tasks:read
)
# 2xx: done. 4xx beyond 401, 403, 404: let in, and the body was refused. 404: hidden.
TABLE = """
path                                    method anon self other admin narrow fired plain reader clerk
/users                                  GET    401  403  403   200   403    403   403   403    403
/users                                  POST   422  422  422   422   422    422   422   422    422
/users/<uuid:id>                        GET    401  200  404   200   404    403   404   200    404
/users/<uuid:id>                        PUT    401  200  404   200   404    403   404   404    404
/users/<uuid:id>                        PATCH  401  200  404   200   404    403   404   404    404
/users/<uuid:id>                        DELETE 401  204  404   204   404    403   404   404    404
/users/<uuid:id>/password               POST   401  422  404   404   404    403   404   404    404
/activation                             GET    400  400  400   400   400    400   400   400    400
/activation                             POST   400  400  400   400   400    400   400   400    400
/login                                  POST   422  422  422   422   422    422   422   422    422
/oauth/token                            POST   400  400  400   400   400    400   400   400    400
/.well-known/jwks.json                  GET    200  200  200   200   200    200   200   200    200
/.well-known/oauth-authorization-server GET    200  200  200   200   200    200   200   200    200
/clients                                GET    401  403  403   200   403    403   403   403    200
/clients                                POST   401  403  403   422   403    403   403   403    422
/clients/<uuid:id>                      GET    401  403  403   200   403    403   403   403    200
/clients/<uuid:id>                      PUT    401  403  403   200   403    403   403   403    200
/clients/<uuid:id>                      PATCH  401  403  403   200   403    403   403   403    200
/clients/<uuid:id>                      DELETE 401  403  403   204   403    403   403   403    204
/clients/<uuid:id>/secret               POST   401  403  403   200   403    403   403   403    200
"""
HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
EXPECTED = {
    (path, method, role): int(code)
    for path, method, *codes in ROWS
    for role, code in zip(HEAD[2:], codes, strict=True)
}


@pytest.fixture(scope="module")
def callers(house, admin, alice, bob):
    narrow = house.person(admin=True, token=False)
    body = {"email": narrow.name, "password": narrow.secret, "scope": "tasks:read"}
    narrow.token = house.post("/login", json=body).json["access_token"]
    fired = house.person(admin=True)
    house.set(fired, active=False)
    return {
        "anon": None,
        "self": alice,
        "other": bob,
        "admin": admin,
        "narrow": narrow,
        "fired": fired,
        "plain": house.account(""),
        "reader": house.account("users:read"),
        "clerk": house.account("clients:admin tasks:read"),
    }


@pytest.fixture(scope="module")
def client(house, admin):
    body = {"client_id": "worker", "scopes": ["tasks:read"]}
    return house.post("/clients", admin, json=body).json


def routes(house):
    own = {resource.path for resource in RESOURCES}
    for rule in house.app.url_map.iter_rules():
        if rule.rule in own:
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                yield rule.rule, method


def test_the_table_knows_every_route_and_no_other(house):
    assert set(routes(house)) == {(path, method) for path, method, _ in EXPECTED}
    assert tuple(HEAD[2:]) == ROLES


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "method"), [(row[0], row[1]) for row in ROWS])
def test_each_caller_gets_what_the_table_says(
    house, admin, callers, client, alice, path, method, role
):
    who = callers[role]
    thing = client["id"] if path.startswith("/clients") else alice.subject
    url = path.replace("<uuid:id>", thing)
    headers = {"If-Match": "*"} if method in ("PUT", "PATCH", "DELETE") else {}
    body = BODIES.get((path, method))
    kind = "application/merge-patch+json" if method == "PATCH" else None
    answer = house.call(method, url, who, json=body, headers=headers, content_type=kind)
    if method == "DELETE" and answer.status_code == 204:
        restored = {"active": True}
        assert house.change("PATCH", url, admin, restored).json["active"] is True
    assert answer.status_code == EXPECTED[path, method, role], answer.text
    if answer.status_code == 401 and who is None:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("path", "method"), [(row[0], row[1]) for row in ROWS])
def test_a_broken_token_opens_nothing(house, alice, client, path, method):
    thing = client["id"] if path.startswith("/clients") else alice.subject
    url = path.replace("<uuid:id>", thing)
    headers = {"Authorization": "Bearer x.y.z", "If-Match": "*"}
    answer = house.call(method, url, headers=headers)
    # Registering is public, yet a token that is sent must hold: an administrator's counts.
    public = EXPECTED[path, method, "anon"] != 401 and path != "/users"
    assert (answer.status_code == 401) is not public
    assert answer.status_code < 500
