"""What the lane does of requests that write is what the plain way does: answer, rows and traces."""

from __future__ import annotations

import json
import logging
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask import (
    Flask,
    Response,
    has_app_context,
    has_request_context,
    request,
    request_started,
    stream_with_context,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import fields
from marshmallow.validate import Range

from glassware.api import Resource, Schema
from glassware.auth import scope
from glassware.media import xml
from glassware.observe.logging import FIELDS
from glassware.problems import ConflictProblem
from glassware.testing import Issuer
from glassware_tasks import resources
from glassware_tasks.app import service
from glassware_tasks.models import Task, db
from glassware_tasks.schemas import TaskSchema

ANN = UUID(int=1 << 100)
PEOPLE = "http://127.0.0.1:7001/users/"
MINE = f"{PEOPLE}{ANN}"
GONE = UUID("0194d3c8-0000-7000-8000-000000000000")
VARIES = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|20\d\d-\d\d-\d\dT[\d:.]+Z"
)
#: What a hook comes to once it has run, by the title that it is given.
FAULTS = {"problem": ConflictProblem("no"), "fault": RuntimeError("on purpose")}


class Listing(resources.TaskList):
    """Counts how often a task is made, and fails where it is told to."""

    made: list[str]

    def create(self, who: Any, data: dict[str, Any]) -> Task:
        self.made.append(data["title"])
        if fault := FAULTS.get(data["title"]):
            raise fault
        task = super().create(who, data)
        if data["title"] == "twice":
            task.id = UUID(int=5)
        elif data["title"] == "more":
            db.session.flush()
        elif data["title"] == "other":
            number: Any = 5
            task.title = number
        return task


class Story(Resource):
    """Goes on to need the request and the database after it has returned."""

    path = "/story"
    policy = scope("tasks:write")
    answers = TaskSchema  # or the lane would leave it alone

    def post(self, who: Any) -> Response:
        def told() -> Iterator[str]:
            for task in db.session.scalars(db.select(Task)):
                yield f"{request.method} {task.title}"

        return Response(stream_with_context(told()))


class SumSchema(Schema):
    """Numbers, or what they come to."""

    numbers = fields.List(fields.Integer(validate=Range(-9, 9)), load_only=True, required=True)
    total = fields.Integer(dump_only=True)


class Sum(Resource):
    """Has a method of its own; with nothing to add it says so by a status and a header."""

    path = "/sum"
    policy = scope("tasks:write")
    limit = "9999/minute"
    body = answers = SumSchema

    def post(self, who: Any, data: dict[str, Any]) -> Any:
        if not data["numbers"]:
            return None, 202, {"Cache-Control": "private", "Location": "/sum"}
        return {"total": sum(data["numbers"])}, 200, {"Cache-Control": "private"}


class Side:
    """The tasks service on a database of its own, the lane open or closed to writes."""

    def __init__(self, issuer: Issuer, fast: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.issuer, self.made = issuer, []
        listing = type("TaskList", (Listing,), {"made": self.made})
        self.app: Flask = replace(
            service, resources=(listing, resources.Task, Story, Sum)
        ).create_app(
            {
                "service.mode": "development",
                "service.state_dir": self.folder.name,
                "service.secrets_dir": self.folder.name,
                "fast.writes": str(fast),
            },
            environ={},
            transports={"auth": issuer.transport},
        )
        self.ids: list[str] = []
        self.tags: list[str] = []
        with self.app.app_context():
            db.create_all()

    def clear(self) -> None:
        with self.app.app_context():
            db.session.execute(db.delete(Task))
            db.session.commit()
        self.ids, self.tags = [], []
        self.made.clear()

    def send(self, method: str, number: int, body: bytes, headers: dict[str, str]) -> Any:
        """Send a request for one of the tasks; return what must be the same of the answer."""
        known = number < len(self.ids)
        path = "/tasks" if method == "POST" else f"/tasks/{self.ids[number] if known else GONE}"
        tag = self.tags[number] if number < len(self.tags) else '"x"'
        query = headers.pop("query", "")
        sent = {name: value.replace("{}", tag) for name, value in headers.items()}
        with self.app.test_client() as client:
            answer = client.open(
                f"{path}{query}",
                method=method,
                data=body,
                headers=sent,
                base_url="http://localhost",
            )
        told = dict(answer.headers)
        assert len(told) == len(answer.headers)  # none is there twice
        if "Location" in told and answer.status_code == 201:
            self.ids.append(told["Location"].rpartition("/")[2])
            self.tags.append(told["ETag"])
        elif answer.status_code == 200 and "ETag" in told and known:
            self.tags[number] = told["ETag"]
        told["ETag"] = str("ETag" in told)
        told.pop("Content-Length", None)  # moments are of different lengths
        if "X-Request-Id" not in sent:
            del told["X-Request-Id"]
        masked = {name: VARIES.sub("*", value) for name, value in told.items()}
        masked.pop("RateLimit", None)
        return answer.status_code, masked, VARIES.sub("*", answer.text.replace('.000000"', '"'))

    def rows(self) -> list[Any]:
        with self.app.app_context():
            found = db.session.scalars(db.select(Task).order_by(Task.title, Task.version))
            return [
                (each.version, each.title, each.done, each.due_to, each.person_id) for each in found
            ]


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side]]:
    issuer = Issuer()
    both = Side(issuer, True), Side(issuer, False)
    yield both
    for each in both:
        with each.app.app_context():
            db.close()
        each.folder.cleanup()


documents = st.fixed_dictionaries(
    {"title": st.sampled_from(["a", "Zoë <&>", "more", "other", "", 5, "\u0001", "x" * 101])},
    optional={
        "person": st.sampled_from([MINE, f"{PEOPLE}{UUID(int=3)}", None, "http://x/"]),
        "due_to": st.sampled_from([None, "2026-12-24T18:00:00.5+01:00", "2026-12-24", 7]),
        "done": st.sampled_from([True, False, "yes", "maybe", 1, None]),
        "created_at": st.just("2026-12-24T18:00:00Z"),
        "colour": st.just("red"),
    },
)
plain_documents = st.builds(lambda document: {"person": MINE, **document}, documents)
GOOD_BODY = ("application/json", json.dumps({"title": "a", "person": MINE}).encode())
bodies = st.one_of(
    st.just(GOOD_BODY),
    plain_documents.map(lambda each: ("application/json", json.dumps(each).encode())),
    plain_documents.map(lambda each: ("application/merge-patch+json", json.dumps(each).encode())),
    plain_documents.filter(lambda each: each["title"] != "\u0001").map(
        lambda each: ("application/xml", xml.dumps(each))
    ),
    st.sampled_from(
        [
            (
                "application/json; charset=utf-8",
                json.dumps({"title": "a", "person": MINE}).encode(),
            ),
            ("application/json", b'{"title": "a", "title": "b"}'),
            ("application/json", b"[]"),
            ("application/json", b" "),
            ("application/json", b"{" * 40),
            ("application/json", b"x" * 2_000_000),
            ("application/merge-patch+json", b'{"title": "b"}'),
            ("application/merge-patch+json", b'{"done": null, "due_to": null}'),
            ("text/plain", b"a"),
            ("", b""),
        ]
    ),
)
GOOD = "tasks:read tasks:write"
tokens = st.sampled_from([GOOD] * 5 + ["tasks:write tasks:admin", "tasks:read", ""])
more = st.fixed_dictionaries(
    {"If-Match": st.sampled_from(["{}", "{}", "*", '"old"', "W/{}", '"x", {}', ""])},
    optional={
        "Accept": st.sampled_from(
            ["application/xml", "text/html", "image/png", "application/problem+xml"]
        ),
        "Idempotency-Key": st.sampled_from(["a", "b", ""]),
        "Host": st.sampled_from(["127.0.0.1:7002", "evil.example"]),
        "Traceparent": st.just("00-" + "a" * 32 + "-" + "b" * 16 + "-00"),
        "X-Request-Timeout": st.just("0"),
        "X-Request-Id": st.just("same"),
        "Prefer": st.just("respond-async"),
        "Expect": st.just("100-continue"),
        "query": st.sampled_from(["?fields=title", "?x=%ff"]),
    },
)
usual = st.just({"If-Match": "{}"})
requests = st.tuples(
    st.sampled_from(["POST", "POST", "PUT", "PUT", "PATCH", "DELETE"]),
    st.integers(0, 2),
    bodies,
    tokens,
    st.one_of(usual, usual, usual, more),
)


@settings(max_examples=60)
@given(st.lists(requests, min_size=1, max_size=8))
def test_both_ways_answer_and_write_the_same(sides: tuple[Side, Side], script: list[Any]) -> None:
    for each in sides:
        each.clear()
    for method, number, (media, body), scopes, headers in script:
        issuer = sides[0].issuer
        sent = {**headers, **(issuer.headers(str(ANN), scopes) if scopes else {})}
        if media:
            sent["Content-Type"] = media
        answers = [each.send(method, number, body, dict(sent)) for each in sides]
        assert answers[0] == answers[1]
    assert sides[0].rows() == sides[1].rows()
    assert sides[0].made == sides[1].made


def usual_headers(side: Side) -> dict[str, str]:
    return {**side.issuer.headers(str(ANN), GOOD), "If-Match": "{}"}


def body(title: str) -> bytes:
    return json.dumps({"title": title, "person": MINE}).encode()


def test_what_a_hook_comes_to_is_answered_alike_and_not_tried_again(
    sides: tuple[Side, Side],
) -> None:
    for title, status in (("problem", 409), ("fault", 500), ("twice", 201), ("twice", 409)):
        answers = []
        for each in sides:
            each.made.clear()
            headers = {**usual_headers(each), "Content-Type": "application/json"}
            answers.append(each.send("POST", 0, body(title), headers))
            assert each.made == [title]
        assert answers[0] == answers[1]
        assert answers[0][0] == status


def test_the_lane_is_taken_but_for_what_is_rare(sides: tuple[Side, Side]) -> None:
    """Else the others compare the plain way with itself."""
    seen: list[str] = []

    def note(app: Flask, **_: Any) -> None:
        if app is sides[0].app:
            seen.append(request.method)

    side = sides[0]
    side.clear()
    with request_started.connected_to(note):
        for media in ("application/json", "application/xml"):
            document: Any = {"title": "a", "person": MINE}
            data = json.dumps(document).encode() if media.endswith("n") else xml.dumps(document)
            headers = {**usual_headers(side), "Content-Type": media, "Accept": media}
            assert side.send("POST", 0, data, dict(headers))[0] == 201
            assert side.send("PUT", 0, data, dict(headers))[0] == 200
        headers["Content-Type"] = "application/merge-patch+json"
        assert side.send("PATCH", 0, b'{"title": "b"}', dict(headers))[0] == 200
        assert side.send("DELETE", 0, b"", dict(headers))[0] == 204
        assert side.send("POST", 0, data, {})[0] == 401
        assert seen == []
        headers |= {"Idempotency-Key": "one", "Content-Type": media}
        assert side.send("POST", 0, data, headers)[0] == 201
    assert seen == ["POST"]


@given(
    st.lists(st.integers(-10, 10), max_size=3),
    st.sampled_from(["application/json", "application/xml", "text/html"]),
    tokens,
)
def test_a_method_of_its_own_is_answered_alike(
    sides: tuple[Side, Side], numbers: list[int], media: str, scopes: str
) -> None:
    answers = []
    for each in sides:
        headers = {"Accept": media, "X-Request-Id": "same", "Content-Type": "application/json"}
        headers |= each.issuer.headers(str(ANN), scopes) if scopes else {}
        data = json.dumps({"numbers": numbers}).encode()
        answer = each.app.test_client().post("/sum", headers=headers, data=data, buffered=True)
        told = sorted(pair for pair in answer.headers if pair[0] != "RateLimit")
        answers.append((answer.status_code, told, answer.data))
    assert answers[0] == answers[1]


def test_a_stream_keeps_its_context_and_gives_it_back(sides: tuple[Side, Side]) -> None:
    for each in sides:
        each.clear()
        headers = {**usual_headers(each), "Content-Type": "application/json"}
        each.send("POST", 0, body("a"), dict(headers))
        answer = each.app.test_client().post("/story", headers=headers, buffered=True)
        assert (answer.status_code, answer.text) == (200, "POST a")
        assert not has_request_context()
        assert not has_app_context()
        assert db.session.held == {}


def test_what_the_lane_wrote_is_logged_and_counted_alike(
    sides: tuple[Side, Side], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    told, counted = [], []
    for each in sides:
        each.clear()
        caplog.clear()
        headers = {**usual_headers(each), "Content-Type": "application/json", "X-Request-Id": "one"}
        each.send("POST", 0, body("a"), dict(headers))
        each.send("PUT", 0, body("b"), dict(headers))
        each.send("POST", 0, body("problem"), dict(headers))
        each.send("DELETE", 0, b"", dict(headers))
        told.append([line(record) for record in caplog.records if record.msg == "request"])
        text = each.app.extensions["glassware"].metrics.text().decode()
        counted.append([word for word in text.split("\n") if word.startswith("http_requests_in")])
    assert told[0] == told[1]
    assert counted[0] == counted[1] == ["http_requests_in_progress 0.0"]


def line(record: logging.LogRecord) -> str:
    fields = {**vars(record)[FIELDS], "seconds": 0, "bytes": 0}
    return VARIES.sub("*", json.dumps(fields, sort_keys=True))
