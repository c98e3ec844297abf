"""Whoever leaves, or cancels a job, frees its sources at once, also those that say nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from .domain.origins import Origin, origin, until

KIB, MIB = 1024, 1024 * 1024
#: Seconds that a source may stay silent; nothing here may take nearly as long.
PATIENCE = 30


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        pass


@pytest.fixture
def near() -> Iterator[Origin]:
    with origin() as server:
        yield server


@pytest.fixture
def archives(make: Any, near: Origin) -> Any:
    settings = {"archives.allowed_sources": near.url, "archives.source_timeout": str(PATIENCE)}
    return make(**settings)


@pytest.fixture
def port(archives: Any) -> Iterator[int]:
    """Serve on a real socket; return its port."""
    server = make_server("127.0.0.1", 0, archives.app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def quickly(done: Callable[[], object]) -> None:
    began = time.monotonic()
    until(done)
    assert time.monotonic() - began < 3


def asked(port: int, headers: dict[str, str], body: Any, path: str = "/archives") -> HTTPConnection:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    sent = {**headers, "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), sent)
    return connection


def wishes(near: Origin, path: str, count: int) -> list[dict[str, str]]:
    return [{"name": f"{number}", "url": near.url + path} for number in range(count)]


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("policy", ["abort", "report"])
@pytest.mark.parametrize("sent", [0, 3 * MIB])
def test_a_client_that_leaves_frees_sources_that_say_nothing(
    archives: Any, near: Origin, port: int, count: int, policy: str, sent: int, caplog: Any
) -> None:
    caplog.set_level("INFO")
    body = {"format": "tar", "on_error": policy, "entries": wishes(near, f"/silent/{sent}", count)}
    with closing(asked(port, archives.headers(), body)) as connection:
        until(lambda: near.present)
        if sent and policy == "abort":
            # An answer left open would keep the socket open, too.
            with closing(connection.getresponse()) as answer:
                assert answer.status == 200
                assert answer.read(MIB)
                assert near.present
    quickly(lambda: near.present == 0)
    (told,) = lines(caplog, "request")
    assert told.get("aborted") or told["status"] == 400
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


def test_a_client_that_leaves_ends_the_fetching_of_what_is_looked_into(
    archives: Any, near: Origin, port: int
) -> None:
    body = {"url": near.url + "/silent/10"}
    with closing(asked(port, archives.headers(), body, "/listings")):
        until(lambda: near.present)
    quickly(lambda: near.present == 0)


def test_who_stays_is_not_taken_for_who_has_left(archives: Any, near: Origin, port: int) -> None:
    """Connections come and go by the same numbers."""
    for _ in range(20):
        body = {"format": "tar", "entries": wishes(near, "/silent/10", 1)}
        asked(port, archives.headers(), body).close()
        body = {"format": "tar", "entries": wishes(near, "/slow/100", 3)}
        with closing(asked(port, archives.headers(), body)) as connection:
            answer = connection.getresponse()
            assert (answer.status, len(answer.read())) == (200, 4096)
    quickly(lambda: near.present == 0)


def lines(caplog: Any, name: str) -> list[dict[str, Any]]:
    """Return what the log lines of the name tell, once there is one."""
    until(lambda: [each for each in caplog.records if each.getMessage() == name])
    return [vars(each)["glassware_fields"] for each in caplog.records if each.getMessage() == name]


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("policy", ["abort", "report"])
def test_a_cancelled_job_frees_its_sources_at_once(
    archives: Any, near: Origin, count: int, policy: str
) -> None:
    url = archives.order(wishes(near, "/silent/10", count), on_error=policy)
    worker = threading.Thread(target=archives.work)
    worker.start()
    until(lambda: near.present)
    assert archives.client.delete(url, headers=archives.headers()).status_code == 204
    quickly(lambda: near.present == 0)
    worker.join(10)
    assert not worker.is_alive()
    job = archives.look(url)
    assert (job["state"], job["problem"]) == ("cancelled", None)


@pytest.mark.parametrize("policy", ["abort", "report"])
def test_a_job_that_a_stopping_worker_gives_back_has_not_failed(
    archives: Any, near: Origin, policy: str
) -> None:
    url = archives.order(wishes(near, "/silent/10", 2), on_error=policy)
    worker = threading.Thread(target=archives.worker.run, args=(0.1,))
    worker.start()
    until(lambda: near.present)
    archives.worker.stopping.set()
    quickly(lambda: not worker.is_alive())
    job = archives.look(url)
    assert (job["state"], job["problem"], job["result"]) == ("waiting", None, None)
