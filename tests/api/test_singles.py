"""What is written by one statement is what the session would have written."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from glassware.testing import Issuer
from glassware_tasks.app import service
from glassware_tasks.models import Task, db

ANN = UUID(int=1 << 100)
PEOPLE = "http://127.0.0.1:7001/users/"


class Side:
    """The tasks service, on a database of its own."""

    def __init__(self, issuer: Issuer, fast: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.app: Flask = service.create_app(
            {
                "service.mode": "development",
                "service.state_dir": self.folder.name,
                "service.secrets_dir": self.folder.name,
                "fast.writes": fast,
            },
            environ={},
            transports={"auth": issuer.transport},
        )
        self.headers = issuer.headers(str(ANN), "tasks:read tasks:write")
        self.statements: list[str] = []
        with self.app.app_context():
            db.create_all()
            event.listen(db.engine, "before_cursor_execute", self.note)

    def note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements.append(statement.split()[0])

    def clear(self) -> None:
        with self.app.app_context():
            db.session.execute(db.delete(Task))
            db.session.commit()
        self.urls: list[str] = []
        self.tags: list[str] = []

    def send(self, method: str, url: str, body: Any, **headers: str) -> Any:
        with self.app.test_client() as client:
            return client.open(url, method=method, json=body, headers={**self.headers, **headers})

    def act(self, method: str, number: int, match: str, body: Any) -> Any:
        """Do something to one of the tasks; return what must be the same of the answer."""
        known = method == "POST" or number < len(self.urls)
        url = "/tasks" if method == "POST" else self.urls[number] if known else f"/tasks/{ANN}"
        tag = self.tags[number] if number < len(self.tags) else '"x"'
        answer = self.send(method, url, body, **{"If-Match": match.format(tag)} if match else {})
        if answer.status_code == 201:
            self.urls.append(answer.headers["Location"])
            self.tags.append(answer.headers["ETag"])
            number = len(self.urls) - 1
        kept = "ETag" in answer.headers and answer.headers["ETag"] == self.tags[number]
        document = answer.get_json(silent=True) or {}
        same = {name: document.get(name) for name in ("title", "done", "due_to", "errors")}
        changed = document.get("created_at") != document.get("updated_at")
        return answer.status_code, sorted(answer.headers.keys()), kept, same, changed

    def rows(self) -> list[Any]:
        with self.app.app_context():
            found = db.session.scalars(db.select(Task).order_by(Task.id))
            return [(row.version, row.title, row.done, row.due_to, row.person_id) for row in found]


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side]]:
    issuer = Issuer()
    both = Side(issuer, "true"), Side(issuer, "false")
    yield both
    for each in both:
        with each.app.app_context():
            db.close()
        each.folder.cleanup()


bodies = st.fixed_dictionaries(
    {"title": st.sampled_from(["a", "b", "Zoë", "", 5])},
    optional={
        "person": st.sampled_from([f"{PEOPLE}{ANN}", f"{PEOPLE}{UUID(int=3)}", None]),
        "due_to": st.sampled_from([None, "2026-12-24T18:00:00.5+01:00", "2026-12-24"]),
        "done": st.sampled_from([True, False, "maybe"]),
    },
).map(lambda body: {"person": f"{PEOPLE}{ANN}", **body})
actions = st.tuples(
    st.sampled_from(["POST", "POST", "PUT", "PUT", "PATCH", "DELETE", "GET"]),
    st.integers(0, 2),
    st.sampled_from(["{}", "{}", "*", '"old"', ""]),
    bodies,
)


@settings(max_examples=40)
@given(st.lists(actions, min_size=1, max_size=8))
def test_both_ways_answer_and_write_the_same(
    sides: tuple[Side, Side], script: list[tuple[str, int, str, Any]]
) -> None:
    for each in sides:
        each.clear()
    for method, number, match, body in script:
        sent = None if method in ("GET", "DELETE") else body
        fast, plain = (each.act(method, number, match, sent) for each in sides)
        assert fast == plain
    assert sides[0].rows() == sides[1].rows()


def test_the_one_statement_is_the_drivers(sides: tuple[Side, Side]) -> None:
    """Else the other test compares the session with itself."""
    for each, wanted in zip(sides, (0, 2), strict=True):
        each.clear()
        each.statements.clear()
        made = each.send("POST", "/tasks", {"title": "a", "person": f"{PEOPLE}{ANN}"})
        url, tag = made.headers["Location"], made.headers["ETag"]
        body = {"title": "b", "person": f"{PEOPLE}{ANN}"}
        assert each.send("PUT", url, body, **{"If-Match": tag}).status_code == 200
        assert len([word for word in each.statements if word in ("INSERT", "UPDATE")]) == wanted
        assert each.rows() == [(2, "b", False, None, ANN)]


def test_of_changes_at_once_to_one_version_one_is_made(sides: tuple[Side, Side]) -> None:
    side = sides[0]
    side.clear()
    made = side.send("POST", "/tasks", {"title": "a", "person": f"{PEOPLE}{ANN}"})
    ready, seen = threading.Barrier(6), []

    def change(number: int) -> None:
        body = {"title": f"b{number}", "person": f"{PEOPLE}{ANN}"}
        ready.wait(10)
        headers = {"If-Match": made.headers["ETag"]}
        seen.append(side.send("PUT", made.headers["Location"], body, **headers).status_code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert sorted(seen) == [200, 412, 412, 412, 412, 412]
    assert side.rows()[0][0] == 2
