"""Who may call what: every route, every method, every kind of caller."""

from __future__ import annotations

from typing import Any

import pytest

from glassware.testing import assert_problem
from glassware_tasks.app import service

MERGE = "application/merge-patch+json"
ATTACHMENT = "/tasks/<uuid:id>/attachments/<name>"
CALLERS = (
    *("nobody", "forger", "archivist", "reader", "writer", "supervisor", "admin"),
    *("owner", "other"),
)
#: One line per route and method, one status per caller, in the order above. A supervisor has the
#: scope tasks:admin alone, which only widens what tasks:read and tasks:write reach.
EXPECTED = {
    ("/tasks", "GET"): (401, 401, 403, 200, 403, 403, 200, 200, 200),
    ("/tasks", "POST"): (401, 401, 403, 403, 201, 403, 201, 201, 422),
    ("/tasks/<uuid:id>", "GET"): (401, 401, 403, 200, 403, 403, 200, 200, 404),
    ("/tasks/<uuid:id>", "PUT"): (401, 401, 403, 403, 200, 403, 200, 200, 404),
    ("/tasks/<uuid:id>", "PATCH"): (401, 401, 403, 403, 200, 403, 200, 200, 404),
    ("/tasks/<uuid:id>", "DELETE"): (401, 401, 403, 403, 204, 403, 204, 204, 404),
    ("/tasks/<uuid:id>/attachments", "GET"): (401, 401, 403, 200, 403, 403, 200, 200, 404),
    (ATTACHMENT, "GET"): (401, 401, 403, 200, 403, 403, 200, 200, 404),
    (ATTACHMENT, "PUT"): (401, 401, 403, 403, 200, 403, 200, 200, 404),
    (ATTACHMENT, "DELETE"): (401, 401, 403, 403, 204, 403, 204, 204, 404),
}


@pytest.fixture
def headers(alice: Any, bob: Any, admin: Any) -> Any:
    """Return the headers of a kind of caller; the tasks are Alice's."""
    scopes = {"archivist": "archives:write", "reader": "tasks:read", "writer": "tasks:write"}

    def of(caller: str) -> dict[str, str]:
        if caller == "nobody":
            return {}
        if caller == "forger":
            return {"Authorization": alice.headers()["Authorization"][:-8] + "AAAAAAAA"}
        if caller in scopes:
            return alice.headers(scopes[caller])
        if caller == "supervisor":
            return admin.headers("tasks:admin")
        return {"admin": admin, "owner": alice, "other": bob}[caller].headers()

    return of


def test_every_route_is_in_the_table() -> None:
    routes = {(each.path, method) for each in service.resources for method in each.methods}
    assert routes == set(EXPECTED)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", EXPECTED, ids=" ".join)
def test_the_caller_gets_the_status(
    house: Any, alice: Any, headers: Any, route: tuple[str, str], caller: str
) -> None:
    path, method = route
    expected = EXPECTED[route][CALLERS.index(caller)]
    url = alice.add("hers").json()["url"]
    alice.attach(url, "a.txt", b"hers")
    before = house.rows()
    response = house.tasks.request(
        method,
        path.replace("/tasks/<uuid:id>", url).replace("<name>", "a.txt"),
        headers={
            **headers(caller),
            "If-Match": "*",
            "Content-Type": MERGE if method == "PATCH" else "application/json",
        },
        json={"title": "changed", "person": alice.url} if method != "GET" else None,
    )
    assert response.status_code == expected, response.text
    if expected >= 400:
        assert_problem(response, expected)
        assert "hers" not in response.text
    if expected >= 400 or method == "GET":
        assert house.rows() == before
    else:
        assert house.rows() != before


def test_nobody_attaches_to_what_they_may_not_change(
    house: Any, alice: Any, bob: Any, admin: Any
) -> None:
    url = alice.add("hers").json()["url"] + "/attachments/new.txt"
    before = house.rows()
    assert_problem(bob.call("PUT", url, content=b"his"), 404)
    assert_problem(alice.call("PUT", url, "tasks:read", content=b"hers"), 403)
    assert_problem(admin.call("PUT", url, "tasks:write", content=b"his"), 404)
    assert house.rows() == before
    assert admin.call("PUT", url, content=b"for her").status_code == 201
    assert alice.get(url).content == b"for her"


def test_who_is_given_a_task_is_given_its_attachments(
    house: Any, alice: Any, bob: Any, admin: Any
) -> None:
    task = alice.add("a").json()
    file = alice.attach(task["url"], "a.txt", b"content").headers["Location"]
    given = {"title": "a", "person": bob.url}
    moved = admin.call("PUT", task["url"], json=given, headers={"If-Match": "*"})
    assert moved.status_code == 200, moved.text
    assert bob.get(file).content == b"content"
    assert_problem(alice.get(file), 404)


def test_people_list_their_own_tasks_and_administrators_all(
    house: Any, alice: Any, bob: Any, admin: Any
) -> None:
    hers, his = alice.add("hers").json(), bob.add("his").json()
    assert alice.get("/tasks").json()["items"] == [hers]
    assert bob.get("/tasks").json()["items"] == [his]
    assert admin.get("/tasks").json()["items"] == [hers, his]
    narrowed = admin.call("GET", "/tasks", "tasks:read").json()["items"]
    assert narrowed == []
    assert alice.get(f"/tasks?person={bob.url}").json()["items"] == []
    assert admin.get(f"/tasks?person={bob.url}").json()["items"] == [his]


def test_a_token_holds_for_no_one_else(house: Any, alice: Any, bob: Any) -> None:
    """A cursor that Bob got from Alice is of no use to him."""
    for title in "ab":
        alice.add(title)
    following = alice.get("/tasks?limit=1").json()["next"]
    assert alice.get(following).status_code == 200
    assert_problem(bob.get(following), 400, "invalid-cursor")
