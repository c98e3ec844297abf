"""The lane answers as the plain way does, to the byte, and leaves the same traces."""

from __future__ import annotations

import json
import logging
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, request, request_started
from hypothesis import given
from hypothesis import strategies as st

from glassware.config import Config
from glassware.observe.access import Entry, write
from glassware.observe.context import Trace
from glassware.observe.logging import FIELDS, configure
from glassware.testing import Issuer, Mesh
from glassware_tasks.app import service
from glassware_tasks.models import Task, db

ANN, BEN = UUID(int=1 << 100), UUID(int=2 << 100)
HERE = "http://127.0.0.1:7002"


class Pair:
    """Two apps on one database: one with every fast path, one with none."""

    def __init__(self, fast: Flask, plain: Flask, issuer: Issuer) -> None:
        self.fast, self.plain, self.issuer = fast, plain, issuer
        self.tokens: dict[tuple[str, str], str] = {}

    def ask(
        self, url: str, who: str, scope: str, accept: str, base: str = HERE, **more: str
    ) -> tuple[Any, Any]:
        token = self.tokens.setdefault((who, scope), self.issuer.token(who, scope))
        headers = {"Authorization": f"Bearer {token}", "Accept": accept, "X-Request-Id": "same"}
        return self.send(url, {**headers, **more}, base)

    def send(self, url: str, headers: dict[str, str], base: str = HERE) -> tuple[Any, Any]:
        answers = []
        for app in (self.fast, self.plain):
            with app.test_client() as client:
                answer = client.get(url, headers=headers, base_url=base, buffered=True)
                assert len(dict(answer.headers)) == len(answer.headers)  # none is there twice
                answers.append((answer.status_code, dict(answer.headers), answer.data))
        return answers[0], answers[1]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    issuer = Issuer()
    with Mesh([service], transports={"auth": issuer.transport}) as mesh:
        fast = mesh.apps["tasks"]
        config: Config = fast.extensions["glassware"].config
        names = ("service.mode", "service.state_dir", "service.secrets_dir", "database.url")
        settings = {name: str(config[name]) for name in names}
        off = dict.fromkeys(("fast.dispatch", "fast.reads", "fast.tokens"), "false")
        plain = service.create_app({**settings, **off}, environ={}, transports=mesh.transports)
        with fast.app_context():
            db.session.add_all(rows())
            db.session.commit()
        yield Pair(fast, plain, issuer)
        with plain.app_context():
            db.close()


def rows() -> list[Task]:
    chance = random.Random(11)
    start = datetime(2026, 12, 1, tzinfo=UTC)
    return [
        Task(
            title=chance.choice(["a", "b", "Grüße & <mehr>", " x ", "日本"]) + str(number % 7),
            person_id=chance.choice([ANN, BEN]),
            due_to=chance.choice([None, start + timedelta(hours=chance.randrange(30))]),
            done=chance.random() < 0.5,
        )
        for number in range(120)
    ]


queries = st.fixed_dictionaries(
    {},
    optional={
        "limit": st.integers(1, 60).map(str),
        "sort": st.sampled_from(["due_to", "-due_to", "title,-due_to", "-created_at", "title"]),
        "fields": st.sampled_from(["title", "url,done", "person,due_to,updated_at", "nothing"]),
        "done": st.sampled_from(["true", "false", "maybe"]),
        "title[contains]": st.sampled_from(["a", "ü", "%", "_"]),
        "due_to[lt]": st.sampled_from(["2026-12-01T12:00:00Z", "2026-12-01"]),
        "due_to[gte]": st.just("2026-12-01T03:00:00+01:00"),
        "person": st.sampled_from([f"http://127.0.0.1:7001/users/{ANN}", "http://x/"]),
    },
)
callers = st.sampled_from(
    [
        (str(ANN), "tasks:read"),
        (str(BEN), "tasks:read tasks:write"),
        ("a-service", "tasks:read"),
        ("a-service", "tasks:read tasks:admin"),
        (str(ANN), ""),
    ]
)
media = st.sampled_from(["application/json", "application/xml"])


@given(queries, callers, media)
def test_a_listing_is_the_same_page_by_page(
    pair: Pair, query: dict[str, str], caller: tuple[str, str], accept: str
) -> None:
    from urllib.parse import urlencode

    url: str | None = f"/tasks?{urlencode(query)}"
    for _ in range(4):
        fast, plain = pair.ask(str(url), *caller, accept)
        assert fast == plain
        link = fast[1].get("Link")
        if link is None:
            return
        url = link[1 : link.index(">")].removeprefix(HERE)


@given(st.integers(0, 130), st.sampled_from(["", "?fields=title", "?fields=x"]), callers, media)
def test_an_item_is_the_same(
    pair: Pair, index: int, query: str, caller: tuple[str, str], accept: str
) -> None:
    with pair.fast.app_context():
        ids = list(db.session.scalars(db.select(Task.id).order_by(Task.id)))
    identifier = ids[index] if index < len(ids) else UUID(int=index)
    fast, plain = pair.ask(f"/tasks/{identifier}{query}", *caller, accept)
    assert fast == plain


hosts = st.sampled_from(
    ["http://LOCALHOST", "https://127.0.0.1:443", "http://[::1]:80/under", "http://evil.example"]
)
paths = st.sampled_from(["/", "//tasks", "/tasks/", "/tasks?cursor=%ff", "/nothing/%C3%BC", "/%"])


@given(paths, hosts, callers, media)
def test_every_way_to_the_service_is_the_same(
    pair: Pair, path: str, host: str, caller: tuple[str, str], accept: str
) -> None:
    fast, plain = pair.ask(path, *caller, accept, host)
    assert fast == plain


@given(st.integers(0, 119), st.booleans(), st.sampled_from(["{}", "W/{}", '"x", {}', "*", "x"]))
def test_a_read_that_is_conditional_is_the_same(
    pair: Pair, index: int, as_xml: bool, match: str
) -> None:
    with pair.fast.app_context():
        ids = list(db.session.scalars(db.select(Task.id).order_by(Task.id)))
    caller = ("a-service", "tasks:read tasks:admin", f"application/{'xml' if as_xml else 'json'}")
    tag = pair.ask(f"/tasks/{ids[index]}", *caller)[0][1]["ETag"]
    fast, plain = pair.ask(f"/tasks/{ids[index]}", *caller, **{"If-None-Match": match.format(tag)})
    assert fast == plain
    assert (fast[0] == 304) == (match != "x")


HEADERS = {
    "Accept": ["application/xml", "text/html", "image/png", "application/problem+xml", "*/*;q=0"],
    "Authorization": ["Bearer x.y.z", "Basic eA==", "Bearer", ""],
    "Origin": ["http://127.0.0.1:3000", "http://evil.example"],
    "Traceparent": ["00-" + "a" * 32 + "-" + "b" * 16 + "-00"],
    "Host": ["localhost", "evil.example", "127.0.0.1:1"],
    "X-Forwarded-Proto": ["https"],
    "Signature-Input": ["sig=()"],
}
odd = st.fixed_dictionaries(
    {"X-Request-Id": st.sampled_from(["same", "eyJhbGciOiJub25lIn0.secret"])},
    optional={name: st.sampled_from(values) for name, values in HEADERS.items()},
)
targets = st.sampled_from(
    ["/health/live", "/health/live?x=1", "/tasks", f"/tasks/{ANN}", f"/tasks/{ANN}?fields=", "/"]
)


@given(targets, odd)
def test_whatever_is_refused_is_refused_alike(
    pair: Pair, target: str, headers: dict[str, str]
) -> None:
    fast, plain = pair.send(target, headers)
    assert fast == plain


def test_the_lane_is_taken(pair: Pair) -> None:
    """Else the others compare the plain way with itself."""
    seen: list[tuple[str, str]] = []

    def note(app: Flask, **_: Any) -> None:
        seen.append(("fast" if app is pair.fast else "plain", request.full_path))

    token = {"Authorization": f"Bearer {pair.issuer.token(str(ANN), 'tasks:read')}"}
    with pair.fast.app_context():
        mine = db.session.scalars(db.select(Task.id).filter_by(person_id=ANN)).first()
    with request_started.connected_to(note):
        for target in (
            "/tasks?sort=-updated_at&done=true",
            "/tasks?limit=2&fields=url",
            f"/tasks/{mine}",
            f"/tasks/{mine}?fields=title,done",
            "/health/live",
        ):
            for media in ({}, {"Accept": "application/xml"}):
                pair.send(target, {**token, **media})
        following = pair.send("/tasks?limit=2", token)[0][1]["Link"]
        pair.send(following[1 : following.index(">")].removeprefix(HERE), token)
        pair.send("/tasks", {})
    assert [path for name, path in seen if name == "fast"] == []
    assert len(seen) == 13


def test_what_the_lane_answered_is_counted_alike(pair: Pair) -> None:
    def counts(app: Flask) -> list[str]:
        text = app.extensions["glassware"].metrics.text().decode()
        names = ("http_request_duration_seconds_count", "http_response_bytes_t", "http_requests_in")
        return [line for line in text.splitlines() if line.startswith(names)]

    pair.send("/health/live", {})
    assert counts(pair.fast) == counts(pair.plain)
    assert "http_requests_in_progress 0.0" in counts(pair.fast)


def test_what_the_lane_answered_is_logged_alike(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pair.ask("/tasks?limit=2&sort=title", str(ANN), "tasks:read", "application/json")
    pair.send(f"/tasks/{ANN}", {"Traceparent": HEADERS["Traceparent"][0]})
    pair.send("/health/live", {"X-Request-Id": "same"})
    found = [vars(each)[FIELDS] for each in caplog.records if each.msg == "request"]
    for each in found:
        del each["seconds"]
    assert len(found) == 6
    assert [listed(each) for each in found[::2]] == [listed(each) for each in found[1::2]]


def listed(fields: dict[str, Any]) -> Any:
    return json.loads(json.dumps(fields))


@given(
    st.sampled_from(["same", "eyJhbGciOiJub25lIn0", "a-secret-of-ours"]),
    st.sampled_from([str(ANN), 'a "quoted" one', "Zoë", "back\\slash", "a-secret-of-ours"]),
    st.sampled_from([(), ("limit", "sort")]),
    st.sampled_from(["", '[{"service":"tasks","status":401}]']),
)
def test_a_line_that_is_written_at_once_is_the_line_that_the_formatter_writes(
    id: str, subject: str, query: tuple[str, ...], problem: str
) -> None:
    entry = Entry("GET", "/x", "/x", query, 200, 5, 0.25, subject, "c", "ab" * 8, problem)
    trace = Trace.incoming(id, service="tasks")
    written = []
    for handlers in (1, 2):  # a second one must be given a record
        stream = StringIO()
        script = (stream, trace, entry, handlers)
        written.append(line_of(*script))
    assert written[0] == written[1]


def line_of(stream: StringIO, trace: Trace, entry: Entry, handlers: int) -> dict[str, Any]:
    root, before = logging.getLogger(), logging.getLogger().handlers
    level = root.level
    try:
        root.handlers = []
        configure("tasks", stream=stream).register("a-secret-of-ours")
        if handlers == 2:
            root.addHandler(logging.NullHandler())
        write(logging.getLogger("test.access"), trace, entry)
    finally:
        root.handlers = before
        root.setLevel(level)
    document: dict[str, Any] = json.loads(stream.getvalue())
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", document.pop("ts"))
    return document
