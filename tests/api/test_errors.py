"""Whatever goes wrong becomes a problem, in JSON and in XML, and gives nothing away."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request_tearing_down
from sqlalchemy import event, text
from werkzeug import exceptions
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.http import HTTP_STATUS_CODES

from glassware.api.app import App
from glassware.media import problem
from glassware.problems import Problem
from glassware.testing import assert_problem

from .notes import Unhandled
from .worlds import World

SECRET = "hunter2-is-the-password"


def in_both(world: World, method: str, url: str, status: int, **request: Any) -> dict[str, Any]:
    """Send a request twice, assert the same problem in JSON and XML, and return the former."""
    headers = {**request.pop("headers", {}), "X-Request-Id": "the-same"}
    documents = []
    for accept, kind in (("application/json", "json"), ("application/xml", "xml")):
        response = world.client.request(
            method, url, headers={**headers, "Accept": accept}, **request
        )
        assert response.headers["Content-Type"] == f"application/problem+{kind}"
        documents.append(assert_problem(response, status))
    as_json, as_xml = documents
    assert problem.parse("application/problem+xml", problem.to_xml(as_json)) == as_xml
    return as_json


@pytest.mark.parametrize("status", sorted(exceptions.default_exceptions))
def test_every_http_error_is_a_complete_problem(world: World, status: int) -> None:
    document = in_both(world, "GET", f"/abort/{status}", status)
    explained = world.client.get(document["type"])
    assert explained.status_code == 200
    assert "as <asked> & told" in document["detail"] or status in (404, 405, 413, 421)


def test_an_error_that_no_standard_knows_is_a_problem_too(world: World) -> None:
    assert 499 not in HTTP_STATUS_CODES
    document = in_both(world, "GET", "/abort/499", 499)
    assert document["title"] == "Unknown Error"


def test_the_headers_of_an_http_error_are_kept(world: World) -> None:
    raised = {
        "Retry-After": (exceptions.TooManyRequests(retry_after=7), "7"),
        "WWW-Authenticate": (
            exceptions.Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": "x"})),
            "Basic realm=x",
        ),
    }
    for name, (error, value) in raised.items():
        raise_next(error)
        response = world.client.get("/raise")
        assert response.headers[name] == value
        assert_problem(response, error.code)
    raise_next(Problem("plain", headers={"X-Odd": "1"}))
    assert world.client.get("/raise").headers["X-Odd"] == "1"


def raise_next(error: Exception) -> None:
    Unhandled.errors.append(error)


def test_a_method_that_is_not_there_is_a_405_with_allow(world: World) -> None:
    for method in ("PUT", "TRACE", "BREW"):
        document = in_both(world, method, "/notes", 405)
        assert document["allowed"] == ["GET", "HEAD", "OPTIONS", "POST"]
    response = world.client.put("/notes")
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_a_body_of_another_type_is_a_415_that_says_what_is_read(world: World) -> None:
    sent = {"headers": world.headers(**{"Content-Type": "text/plain"}), "content": b"{}"}
    document = in_both(world, "POST", "/notes", 415, **sent)
    assert document["supported"] == ["application/json", "application/xml"]
    response = world.client.post("/notes", **sent)
    assert response.headers["Accept"] == "application/json, application/xml"


def test_options_lists_the_methods(world: World) -> None:
    response = world.client.options("/notes")
    assert response.status_code == 200
    allowed = {each.strip() for each in response.headers["Allow"].split(",")}
    assert allowed == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize("url", ["/nope", "/notes/1", "/notes//x", "/problems/no", "/%00", "/%ff"])
def test_an_unknown_url_is_a_404_and_never_a_redirect(world: World, url: str) -> None:
    assert_problem(world.raw("GET", url.encode(), world.headers()), 404, "not-found")


def test_a_slash_too_many_at_an_end_is_forgiven(world: World) -> None:
    for url in (b"/notes/", b"//notes"):
        assert world.raw("GET", url, world.headers()).status_code == 200


def test_a_foreign_host_is_a_421_that_does_not_quote_it(world: World) -> None:
    document = in_both(world, "GET", "/", 421, headers={"Host": "evil.example"})
    assert document["type"] == "/problems/unknown-host"
    assert "evil" not in str(document)
    for host in ("", "a b", "127.0.0.1.evil.example", "127.0.0.1@evil", "[::1", "localhost:x"):
        response = world.raw("GET", b"/", {"Host": host})
        assert response.status_code in (200, 421), host
        if response.status_code == 421:
            assert_problem(response, 421, "unknown-host")
    for host in ("localhost", "localhost:80", "127.0.0.1:9999"):
        assert world.raw("GET", b"/", {"Host": host}).status_code == 200


def test_a_fault_says_nothing_to_the_caller_and_everything_to_the_log(world: World) -> None:
    raise_next(RuntimeError(f"password={SECRET}"))
    raise_next(RuntimeError(f"password={SECRET}"))
    document = in_both(world, "GET", "/raise", 500)
    log = world.log.take()
    assert document["type"].endswith("/problems/internal")
    assert document["request_id"] in log
    assert "RuntimeError" in log
    assert "test_" not in str(document)
    assert "self.errors.pop()" in log
    for text_ in (str(document), log):
        assert SECRET not in text_


def test_a_fault_on_purpose_is_there_in_development_only(world: World, make_world: Any) -> None:
    assert_problem(world.client.get("/fault"), 404)
    in_development = make_world(**{"service.mode": "development"})
    assert_problem(in_development.client.get("/fault"), 500, "internal")
    assert "fault" in in_development.client.get("/").json()["resources"]


@pytest.mark.parametrize("way", ["fault", "problem", "answer"])
def test_what_fails_after_it_wrote_leaves_nothing_behind(world: World, way: str) -> None:
    response = world.client.post(f"/half/{way}")
    assert_problem(response, 409 if way == "problem" else 500)
    assert world.rows()["notes"] == []
    assert world.client.post("/half/well").status_code == 200
    assert len(world.rows()["notes"]) == 1


def test_what_is_already_there_is_a_409(world: World) -> None:
    world.add(code="x")
    before = world.rows()
    document = in_both(
        world, "POST", "/notes", 409, headers=world.headers(), json={"text": "b", "code": "x"}
    )
    assert document["type"].endswith("/problems/conflict")
    assert "UNIQUE" not in str(document)
    assert world.rows() == before
    other = world.add(code="y")
    headers = world.headers(**{"If-Match": other.headers["ETag"]})
    response = world.client.put(
        other.json()["url"], headers=headers, json={"text": "b", "code": "x"}
    )
    assert_problem(response, 409, "conflict")


@contextlib.contextmanager
def locked(world: World) -> Any:
    """Hold the write lock of the database from another connection, and do not wait for it."""
    path = world.app.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.rollback()


def test_a_locked_database_is_a_503_to_come_back_to(make_world: Any) -> None:
    world = make_world()
    with world.app.app_context():
        engine = world.app.extensions["sqlalchemy"].engine
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=50"))
        engine.dispose()
    url = world.add().json()["url"]
    with locked(world):
        for accept in ("application/json", "application/xml"):
            response = world.client.post(
                "/notes", headers=world.headers(Accept=accept), json={"text": "later"}
            )
            document = assert_problem(response, 503, "unavailable")
            assert int(response.headers["Retry-After"]) > 0
            assert "sqlite" not in str(document).lower()
        assert world.get(url).status_code == 200  # WAL: whoever reads does not wait
    assert world.add().status_code == 201


def test_a_database_that_is_gone_is_a_503(make_world: Any) -> None:
    world = make_world()
    with world.app.app_context():
        engine = world.app.extensions["sqlalchemy"].engine
        engine.dispose()
    path = Path(world.app.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///"))
    for file in path.parent.glob("notes.sqlite*"):
        file.unlink()
    path.mkdir()
    document = assert_problem(world.get("/notes"), 503, "unavailable")
    assert "sqlite" not in str(document).lower()


def test_a_pool_without_a_free_connection_is_a_503(world: World) -> None:
    with world.app.app_context(), contextlib.ExitStack() as held:
        engine = world.app.extensions["sqlalchemy"].engine
        with contextlib.suppress(Exception):
            while True:
                held.enter_context(engine.connect())
        response = world.client.get("/notes", headers=world.headers())
        document = assert_problem(response, 503, "unavailable")
        assert "pool" not in str(document).lower()
    assert world.get("/notes").status_code == 200


def test_an_error_of_the_database_is_logged_without_its_parameters(world: World) -> None:
    world.add(code="x")
    with world.app.app_context():
        session = world.app.extensions["sqlalchemy"].session
        with pytest.raises(Exception, match="no such table") as caught:
            session.execute(text("SELECT * FROM nowhere WHERE a = :a"), {"a": SECRET})
        session.rollback()
    assert SECRET not in str(caught.value)


def test_errors_of_two_requests_at_once_do_not_mix(world: World) -> None:
    found: dict[str, str] = {}

    def ask(name: str) -> None:
        response = world.client.get(f"/problems/{name}", headers={"X-Request-Id": name})
        found[name] = assert_problem(response, 404)["request_id"] + response.json()["instance"]

    threads = [threading.Thread(target=ask, args=(f"t{n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == {f"t{n}": f"t{n}/problems/t{n}" for n in range(20)}


def test_the_handlers_of_the_app_are_flasks_own(world: World) -> None:
    app = world.app
    for name in ("handle_exception", "handle_user_exception", "handle_http_exception"):
        assert getattr(app, name).__func__ is getattr(Flask, name)
        assert name not in vars(app)
    # The next Flask calls its methods in another way; these and wsgi_app are there to replace.
    names = "create_url_adapter do_teardown_request ensure_sync request_class session_interface"
    ours = {name for name in vars(App) if hasattr(Flask, name) and name[-2:] != "__"}
    assert ours == set(names.split())
    assert type(app) is App
    assert [name for name in vars(app) if callable(vars(Flask).get(name))] == ["wsgi_app"]


def test_who_wants_to_hear_of_the_end_of_a_request_does(world: World) -> None:
    heard: list[str] = []

    def hear(_app: Flask, **_: object) -> None:
        heard.append("signal")

    with request_tearing_down.connected_to(hear, world.app):
        world.client.get("/problems/none")
    world.client.get("/problems/none")
    assert heard == ["signal"]

    world.app.teardown_request_funcs[None].append(lambda _error: heard.append("function"))
    world.client.get("/problems/none")
    assert heard == ["signal", "function"]
