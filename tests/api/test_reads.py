"""The fast reads answer as the plain ones do, to the byte."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from glassware.api.reads import Reading
from glassware.config import Config
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

    def ask(self, url: str, who: str, scope: str, accept: str, base: str = HERE) -> tuple[Any, Any]:
        token = self.tokens.setdefault((who, scope), self.issuer.token(who, scope))
        headers = {"Authorization": f"Bearer {token}", "Accept": accept, "X-Request-Id": "same"}
        answers = []
        for app in (self.fast, self.plain):
            with app.test_client() as client:
                answer = client.get(url, headers=headers, base_url=base)
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


def test_the_fast_reads_are_fast_reads(pair: Pair) -> None:
    """Else the two above compare the plain path with itself."""
    statements: list[str] = []
    with pair.fast.app_context():
        engine = db.engine

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    kept = pair.fast.extensions["glassware"].readings
    kept.clear()
    url = "/tasks?sort=-updated_at&done=true"
    for who in (ANN, BEN):
        pair.ask(url, str(who), "tasks:read", "application/json")
    assert len([each for each in statements if "FROM tasks" in each]) == 2
    assert [type(each) for each in kept.values() if each is not Task] == [Reading]
    assert set(pair.plain.extensions["glassware"].readings.values()) <= {Task}
