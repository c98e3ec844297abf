"""The person of a task: the auth service knows whether there is one, if it can be asked."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from glassware.db.migrate import owner_engine
from glassware.problems import chain
from glassware.testing import assert_problem

MERGE = {"Content-Type": "application/merge-patch+json", "If-Match": "*"}


def task_for(url: str) -> dict[str, str]:
    return {"title": "a", "person": url}


@pytest.mark.contract
def test_a_person_who_does_not_exist_is_a_422_on_the_field(
    house: Any, admin: Any, alice: Any
) -> None:
    url = alice.add().json()["url"]
    before = house.rows()
    nobody = f"http://127.0.0.1:7001/users/{uuid4()}"
    for who in (admin, alice):
        for method, target in (("POST", "/tasks"), ("PUT", url)):
            headers = {"If-Match": "*"}
            response = who.call(method, target, json=task_for(nobody), headers=headers)
            document = assert_problem(response, 422, "invalid")
            assert list(document["errors"]) == ["person"]
    assert house.rows() == before


def test_nobody_but_an_administrator_gives_tasks_to_others(
    house: Any, alice: Any, bob: Any, admin: Any
) -> None:
    refused = alice.call("POST", "/tasks", json=task_for(bob.url))
    unknown = alice.call("POST", "/tasks", json=task_for(bob.url[:-12] + "000000000000"))
    assert assert_problem(refused, 422)["errors"] == assert_problem(unknown, 422)["errors"]
    url = alice.add().json()["url"]
    headers = {"If-Match": "*"}
    assert_problem(alice.call("PUT", url, json=task_for(bob.url), headers=headers), 422)
    given = admin.call("PUT", url, json=task_for(bob.url), headers=headers)
    assert given.json()["person"] == bob.url
    assert bob.get(url).status_code == 200
    assert_problem(alice.get(url), 404)


@pytest.mark.contract
def test_a_service_account_works_for_people_and_has_no_tasks_of_its_own(
    house: Any, admin: Any, alice: Any
) -> None:
    everything = house.account(admin, "tasks:read tasks:write tasks:admin users:read")
    made = house.tasks.post("/tasks", headers=everything, json=task_for(alice.url))
    assert made.status_code == 201, made.text
    assert alice.get("/tasks").json()["items"] == [made.json()]
    plain = house.account(admin, "tasks:read tasks:write")
    assert house.tasks.get("/tasks", headers=plain).json()["items"] == []
    assert_problem(house.tasks.get(made.json()["url"], headers=plain), 404)
    assert_problem(house.tasks.post("/tasks", headers=plain, json=task_for(alice.url)), 422)


@pytest.mark.contract
def test_an_account_that_may_not_look_at_people_finds_none(
    house: Any, admin: Any, alice: Any
) -> None:
    blind = house.account(admin, "tasks:write tasks:admin")
    response = house.tasks.post("/tasks", headers=blind, json=task_for(alice.url))
    assert list(assert_problem(response, 422)["errors"]) == ["person"]
    assert house.rows() == []


def test_a_token_that_auth_no_longer_honours_makes_no_task(house: Any, admin: Any) -> None:
    leaver = house.person()
    headers = leaver.headers(**{"X-Request-Id": "one-story"})
    house.auth.delete(leaver.url, headers=admin.headers(**{"If-Match": "*"})).raise_for_status()
    response = house.tasks.post("/tasks", headers=headers, json=task_for(leaver.url))
    links = list(chain(assert_problem(response, 502, "upstream")))
    assert [(link["service"], link["status"]) for link in links] == [("tasks", 502), ("auth", 403)]
    assert {link["request_id"] for link in links} == {"one-story"}
    assert house.rows() == []


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where connections are taken and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_while_auth_is_down_no_task_is_written(start: Any, closed: str) -> None:
    house = start(closed, client__timeout="1")
    person = house.person()
    for accept in ("application/json", "application/xml"):
        response = person.call(
            "POST", "/tasks", json=task_for(person.url), headers={"Accept": accept}
        )
        document = assert_problem(response, 503, "unreachable")
        assert "auth" in document["detail"]
    assert house.rows() == []
    assert person.get("/tasks").json()["items"] == []


def test_while_auth_hangs_the_caller_does_not_wait_for_long(start: Any, silent: str) -> None:
    house = start(silent, client__timeout="0.3")
    person = house.person()
    person.headers()
    began = time.monotonic()
    response = person.call("POST", "/tasks", json=task_for(person.url))
    assert time.monotonic() - began < 2
    document = assert_problem(response, 504, "upstream-timeout")
    assert "auth" in document["detail"]
    assert house.rows() == []


def test_a_task_keeps_its_person_without_asking_for_them_again(start: Any, closed: str) -> None:
    house = start(closed, client__timeout="1")
    way = house.mesh.transports["auth"]
    way.sick = False
    person, admin = house.person(), house.person(admin=True)
    url = person.add().json()["url"]
    person.headers(), admin.headers()
    way.sick = True
    response = person.call("PATCH", url, headers=MERGE, content=b'{"done":true}')
    assert response.json()["done"] is True
    before = house.rows()
    moved = admin.call("PUT", url, json=task_for(admin.url), headers={"If-Match": "*"})
    assert_problem(moved, 503, "unreachable")
    assert house.rows() == before


def test_when_auth_fails_the_answer_has_the_whole_chain_and_the_logs_one_id(
    start: Any, caplog: Any
) -> None:
    house = start(client__timeout="0.5")
    person = house.person()
    headers = person.headers()
    app = house.mesh.apps["auth"]
    with app.app_context(), owner_engine(app.extensions["sqlalchemy"]).begin() as connection:
        connection.execute(text("ALTER TABLE users RENAME TO people"))
    with caplog.at_level(logging.INFO):
        response = house.tasks.post(
            "/tasks", headers={**headers, "X-Request-Id": "story-7"}, json=task_for(person.url)
        )
    document = assert_problem(response, 502, "upstream")
    links = list(chain(document))
    assert [link["service"] for link in links] == ["tasks", "auth"]
    assert links[1]["status"] in (500, 503)
    assert {link["request_id"] for link in links} == {"story-7"}
    assert house.rows() == []
    assert headers["Authorization"].split()[1] not in caplog.text
    assert "Traceback" not in response.text
    assert "people" not in response.text
