"""A request that is sent again is given its answer again, and makes nothing."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from glassware.testing import Issuer, assert_problem

from .shop import OrderRow, db, make_app
from .worlds import Wire

ROOT = Path(__file__).parents[2]
KEEPING = ("Content-Type", "Content-Length", "Location", "ETag")


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: Any, issuer: Issuer) -> Iterator[Callable[..., Flask]]:
    """Open a shop; on the state of another one, as another process of it would."""
    apps = []

    def run(state: Path | None = None, **settings: str) -> Flask:
        place = state or tmp_path_factory.mktemp("shop")
        given = {name.replace("__", "."): text for name, text in settings.items()}
        apps.append(make_app(place, {"auth": issuer.transport}, **given))
        return apps[-1]

    yield run
    for app in apps:
        with app.app_context():
            db.close()


@pytest.fixture(scope="module")
def shop(open_shop: Callable[..., Flask]) -> Flask:
    return open_shop()


def post(app: Flask, key: str | None, text: str, path: str = "/orders", **more: Any) -> Any:
    headers = {"Idempotency-Key": key, **more.pop("headers", {})}
    given = {name: value for name, value in headers.items() if value is not None}
    return app.test_client().post(path, json={"text": text}, headers=given, **more)


def count(app: Flask, table: Any = OrderRow.__table__) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(table)) or 0


def state_of(app: Flask) -> Path:
    return Path(app.extensions["glassware"].config["service.state_dir"])


@pytest.mark.parametrize("media", ["application/json", "application/xml"])
def test_the_answer_comes_again_as_it_was(shop: Flask, media: str) -> None:
    before = count(shop)
    first, *others = [post(shop, f"a-{media}", media, headers={"Accept": media}) for _ in range(3)]
    assert first.status_code == 201
    assert "Idempotency-Replayed" not in first.headers
    for each in others:
        assert each.status_code == 201
        assert each.data == first.data
        assert each.headers["Idempotency-Replayed"] == "true"
        for name in KEEPING:
            assert each.headers[name] == first.headers[name]
        assert each.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert count(shop) == before + 1
    assert shop.test_client().get(first.headers["Location"]).status_code == 200


def test_without_a_key_every_request_makes_something(shop: Flask) -> None:
    before = count(shop)
    assert post(shop, None, "one").status_code == 201
    assert post(shop, None, "two").status_code == 201
    assert count(shop) == before + 2


def test_a_key_is_for_one_content_only(shop: Flask) -> None:
    assert post(shop, "b", "b1").status_code == 201
    before = count(shop)
    for other in (
        post(shop, "b", "b2"),
        post(shop, "b", "b1", headers={"Accept": "application/xml"}),
        shop.test_client().post(
            "/orders",
            data=b"<o><text>b1</text></o>",
            headers={"Idempotency-Key": "b", "Content-Type": "application/xml"},
        ),
    ):
        assert_problem(other, 422, "key-reused")
    assert count(shop) == before
    assert post(shop, "b", "b1").headers["Idempotency-Replayed"] == "true"


def test_a_key_is_the_callers_own_and_the_paths(shop: Flask, issuer: Issuer) -> None:
    ann, ben = issuer.headers("ann"), issuer.headers("ben")
    other_client = issuer.headers("ann", client_id="another")
    elsewhere = {"environ_overrides": {"REMOTE_ADDR": "203.0.113.9"}}
    answers = [
        post(shop, "c", "c0"),
        post(shop, "c", "c1", headers=ann),
        post(shop, "c", "c2", headers=ben),
        post(shop, "c", "c3", headers=other_client),
        post(shop, "c", "c4", **elsewhere),
        post(shop, "c", "c5", "/houses/1/orders"),
        post(shop, "c", "c6", "/houses/2/orders"),
    ]
    assert [answer.status_code for answer in answers] == [201] * 7
    assert not any("Idempotency-Replayed" in answer.headers for answer in answers)
    assert post(shop, "c", "c1", headers=ann).data == answers[1].data


def test_what_failed_may_be_tried_again_with_its_key(shop: Flask) -> None:
    taken = post(shop, None, "taken")
    assert taken.status_code == 201
    assert_problem(post(shop, "d", ""), 422, "invalid")
    assert_problem(post(shop, "d", "taken"), 409, "conflict")
    assert_problem(post(shop, "d", "taken"), 409, "conflict")
    assert post(shop, "d", "free").status_code == 201


HEADER = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=300)


@given(key=HEADER)
def test_a_key_is_visible_ascii_of_bounded_length(shop: Flask, key: str) -> None:
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    answer = Wire(shop).raw("POST", b"/orders", headers, b'{"text": ""}')
    good = re.fullmatch(r"[!-~]{1,255}", key) is not None
    # The content is invalid, which is found out after the key; or another test has used the key.
    assert_problem(answer, 422 if good else 400, None if good else "invalid-key")


@pytest.mark.parametrize("key", ["k" * 255, "!~", '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_a_key_may_be_long_or_odd(shop: Flask, key: str) -> None:
    assert post(shop, key, key[:20]).status_code == 201
    assert post(shop, key, key[:20]).headers["Idempotency-Replayed"] == "true"


def test_what_is_kept_cannot_be_read_in_the_database(open_shop: Callable[..., Flask]) -> None:
    shop = open_shop()
    answer = post(shop, "my-own-secret-key", "sealed")
    password = answer.json["password"]
    assert len(password) == 64
    with shop.app_context():
        db.close()
    stored = b"".join(path.read_bytes() for path in state_of(shop).glob("*.sqlite*"))
    assert b"sealed" in stored
    assert password.encode() not in stored
    assert b"my-own-secret-key" not in stored
    assert post(shop, "my-own-secret-key", "sealed").json["password"] == password


def test_it_is_kept_for_its_time_and_swept_out_after_it(open_shop: Callable[..., Flask]) -> None:
    shop = open_shop(idempotency__keep="1")
    for number in range(15):
        assert post(shop, f"key-{number}", f"old {number}").status_code == 201
    first = post(shop, "mine", "before")
    assert post(shop, "mine", "before").data == first.data
    time.sleep(1.1)
    with shop.app_context():
        kept = db.answers
    again = post(shop, "mine", "after")
    assert again.status_code == 201
    assert "Idempotency-Replayed" not in again.headers
    assert post(shop, "new", "another").status_code == 201
    assert count(shop, kept) == 2
    assert count(shop) == 18


def test_while_the_first_is_being_answered_the_others_are_told_so(
    open_shop: Callable[..., Flask],
) -> None:
    shop, begun, end = open_shop(), threading.Event(), threading.Event()
    found: list[Any] = []

    def wait() -> None:
        begun.set()
        assert end.wait(10)

    shop.extensions["glassware"].parts.before = wait
    first = threading.Thread(target=lambda: found.append(post(shop, "slow", "slow")))
    first.start()
    assert begun.wait(10)
    second = post(shop, "slow", "slow")
    assert_problem(second, 409, "still-running")
    assert int(second.headers["Retry-After"]) >= 1
    end.set()
    first.join(10)
    assert found[0].status_code == 201
    assert post(shop, "slow", "slow").data == found[0].data
    assert not shop.extensions["glassware"].running


def test_of_two_processes_that_answer_at_once_one_makes_it_and_both_tell_of_it(
    open_shop: Callable[..., Flask],
) -> None:
    one = open_shop()
    two = open_shop(state_of(one))
    barrier, found = threading.Barrier(2), []

    def meet() -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(5)

    for app in (one, two):
        app.extensions["glassware"].parts.before = meet
    threads = [
        threading.Thread(target=lambda app=app: found.append(post(app, "both", "both")))
        for app in (one, two)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [answer.status_code for answer in found] == [201, 201]
    assert found[0].data == found[1].data
    assert sum("Idempotency-Replayed" in answer.headers for answer in found) == 1
    assert count(one) == 1


@contextlib.contextmanager
def served(state: Path, where: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the shop as a process of its own."""
    (state / "port").unlink(missing_ok=True)
    words = [sys.executable, "-m", "tests.api.shop", str(state), where]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(state / "port", process)
            yield f"http://127.0.0.1:{(state / 'port').read_text()}", process
        finally:
            process.kill()


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


@pytest.mark.parametrize(("where", "made"), [("before_commit", 0), ("after_commit", 1)])
def test_a_process_killed_before_it_answers_never_makes_it_twice(
    tmp_path: Path, where: str, made: int
) -> None:
    request = {"json": {"text": "once"}, "headers": {"Idempotency-Key": "k"}, "timeout": 30}

    with served(tmp_path, where) as (url, process):
        lost: list[Exception] = []

        def ask() -> None:
            try:
                httpx2.post(f"{url}/orders", trust_env=False, **request)
            except httpx2.TransportError as error:
                lost.append(error)

        client = threading.Thread(target=ask)
        client.start()
        wait_for(tmp_path / "hangs", process)
        process.send_signal(signal.SIGKILL)
        client.join(10)
        assert lost
    with served(tmp_path, "nowhere") as (url, _):
        kept = httpx2.get(f"{url}/orders", trust_env=False).json()["items"]
        assert len(kept) == made
        again = [httpx2.post(f"{url}/orders", trust_env=False, **request) for _ in range(2)]
        assert [answer.status_code for answer in again] == [201, 201]
        assert again[0].content == again[1].content
        assert ("Idempotency-Replayed" in again[0].headers) == (made == 1)
        assert len(httpx2.get(f"{url}/orders", trust_env=False).json()["items"]) == 1
