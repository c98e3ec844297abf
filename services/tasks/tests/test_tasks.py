"""What may be done with tasks."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.api.schema import page_of
from glassware.media import json, xml
from glassware.testing import assert_problem
from glassware_tasks.schemas import TaskSchema

MERGE = {"Content-Type": "application/merge-patch+json", "If-Match": "*"}
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda character: character >= " " or character in "\t\n\r"
)
TITLES = st.text(CHARACTERS, min_size=1, max_size=100)
MOMENTS = st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
TASKS = st.fixed_dictionaries(
    {"title": TITLES}, optional={"due_to": st.none() | MOMENTS, "done": st.booleans()}
)


def test_the_root_lists_the_tasks(house: Any, alice: Any) -> None:
    resources = house.tasks.get("/").json()["resources"]
    assert resources["task_list"] == "http://127.0.0.1:7002/tasks"
    assert alice.get(resources["task_list"]).json() == {"items": [], "next": None}


def test_a_new_task_has_a_url_and_the_defaults(house: Any, alice: Any) -> None:
    response = alice.add("Water the plants")
    task = response.json()
    assert response.headers["Location"] == task["url"]
    assert task.pop("url").startswith("http://127.0.0.1:7002/tasks/")
    assert task.pop("created_at").endswith("Z")
    assert task.pop("updated_at").endswith("Z")
    assert task == {
        "title": "Water the plants",
        "person": alice.url,
        "due_to": None,
        "done": False,
    }


def test_xml_says_what_json_says_of_any_task(
    one_house: Any, alice: Any, record_testsuite_property: Any
) -> None:
    compared = 0

    @settings(max_examples=100)
    @given(TASKS)
    def check(task: dict[str, Any]) -> None:
        nonlocal compared
        one_house.clear()
        body = xml.dumps({**task, "person": alice.url}, "task")
        made = alice.call(
            "POST", "/tasks", content=body, headers={"Content-Type": "application/xml"}
        )
        assert made.status_code == 201, made.text
        document = made.json()
        assert document["title"] == task["title"]
        in_xml = alice.get(document["url"], Accept="application/xml").content
        assert xml.loads(in_xml, TaskSchema()) == document == alice.get(document["url"]).json()
        listing = alice.get("/tasks", Accept="application/xml").content
        page = alice.get("/tasks").json()
        assert xml.loads(listing, page_of(TaskSchema)()) == page
        assert page == {"items": [document], "next": None}
        compared += 2

    check()
    record_testsuite_property("tasks compared in JSON and XML", compared)
    assert compared >= 200


@settings(max_examples=40)
@given(first=TASKS, second=TASKS)
def test_a_task_can_be_put_back_as_it_was(
    one_house: Any, alice: Any, first: dict[str, Any], second: dict[str, Any]
) -> None:
    made = alice.add(**first).json()
    sent = {name: made[name] for name in ("title", "person", "due_to", "done")}
    put = {"If-Match": "*"}
    changed = alice.call(
        "PUT", made["url"], json={**second, "person": alice.url}, headers=put
    ).json()
    assert changed["title"] == second["title"]
    assert changed["done"] == second.get("done", False)
    back = alice.call("PUT", made["url"], json=sent, headers=put).json()
    assert {**back, "updated_at": ""} == {**made, "updated_at": ""}


def test_a_patch_changes_what_it_names(house: Any, alice: Any) -> None:
    made = alice.add("a", due_to="2026-12-01T12:00:00+02:00").json()
    assert made["due_to"] == "2026-12-01T10:00:00Z"
    done = alice.call("PATCH", made["url"], headers=MERGE, content=b'{"done":true}').json()
    assert {**done, "updated_at": ""} == {**made, "done": True, "updated_at": ""}
    freed = alice.call("PATCH", made["url"], headers=MERGE, content=b'{"due_to":null}').json()
    assert freed["due_to"] is None
    assert freed["updated_at"] > made["updated_at"]


def test_a_removed_task_is_gone(house: Any, alice: Any) -> None:
    url = alice.add().json()["url"]
    assert alice.call("DELETE", url, headers={"If-Match": "*"}).status_code == 204
    assert_problem(alice.get(url), 404, "not-found")
    assert house.rows() == []


@pytest.mark.parametrize("title", ["x", "x" * 100, "\U0001f331" * 100, " ", "<&>'\"", "e\u0301"])
def test_a_title_has_one_to_a_hundred_characters(house: Any, alice: Any, title: str) -> None:
    assert alice.add(title).json()["title"] == title


REFUSED = {
    "no title": ({"title": None}, "title"),
    "an empty title": ({"title": ""}, "title"),
    "a title of 101 characters": ({"title": "x" * 101}, "title"),
    "a title that is a number": ({"title": 7}, "title"),
    "a naive due_to": ({"due_to": "2026-12-01T12:00:00"}, "due_to"),
    "a due_to without a time": ({"due_to": "2026-12-01"}, "due_to"),
    "a due_to that is a number": ({"due_to": 1764590400}, "due_to"),
    "a due_to before the first year": ({"due_to": "0001-01-01T00:00:00+14:00"}, "due_to"),
    "no truth value for done": ({"done": "perhaps"}, "done"),
    "null for done": ({"done": None}, "done"),
    "no person": ({"person": None}, "person"),
    "a person without a URL": ({"person": str(uuid4())}, "person"),
    "a person elsewhere": ({"person": f"http://evil.example/users/{uuid4()}"}, "person"),
    "a person at another port": ({"person": f"http://127.0.0.1:7002/users/{uuid4()}"}, "person"),
    "a person in capitals": ({"person": f"HTTP://127.0.0.1:7001/users/{uuid4()}"}, "person"),
    "a person with a query": ({"person": f"http://127.0.0.1:7001/users/{uuid4()}?a=b"}, "person"),
    "a person by a detour": ({"person": f"http://127.0.0.1:7001/x/../users/{uuid4()}"}, "person"),
    "a person that is a client": ({"person": f"http://127.0.0.1:7001/clients/{uuid4()}"}, "person"),
    "an unknown field": ({"priority": 1}, "priority"),
    "a URL of one's own": ({"url": "http://127.0.0.1:7002/tasks/1"}, "url"),
    "an id of one's own": ({"id": str(uuid4())}, "id"),
    "a time of making": ({"created_at": "2026-12-01T12:00:00Z"}, "created_at"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("kind", ["application/json", "application/xml"])
def test_what_is_no_task_is_a_422_that_names_the_field(
    house: Any, alice: Any, case: str, kind: str
) -> None:
    wrong, name = REFUSED[case]
    url = alice.add().json()["url"]
    before = house.rows()
    task = {"title": "a", "person": alice.url, **wrong}
    body = json.dumps(task) if kind == "application/json" else xml.dumps(task, "task")
    for method, target in (("POST", "/tasks"), ("PUT", url)):
        headers = {"Content-Type": kind, "If-Match": "*"}
        response = alice.call(method, target, headers=headers, content=body)
        # Without types a number is text: XML has a title "7".
        if kind == "application/xml" and case == "a title that is a number":
            assert response.status_code in (200, 201)
            return
        document = assert_problem(response, 422, "invalid")
        assert list(document["errors"]) == [name]
        assert "evil" not in response.text
    assert house.rows() == before
