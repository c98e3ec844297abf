"""Callbacks: signed, sent until they arrive, never to where they must not go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import text

from glassware.testing import assert_problem
from glassware_archives.models import db

INLINE = [{"name": "a", "text": "one"}]
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Hook(ThreadingHTTPServer):
    """Notes each message, and answers with the statuses in turn, the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        self.statuses, self.messages = [204], []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.append((self.path, dict(self.headers), body))
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.send_header("Location", f"{self.server.url}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook():
    with Hook() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def archives(make, hook):
    return make(**{"archives.allowed_sources": hook.url})


def callback(hook, path="/hook?a=b"):
    return {"url": f"{hook.url}{path}", "secret": SECRET}


def hurry(archives):
    with archives.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET due_at = '2020-01-01 00:00:00'"))


def test_who_ordered_an_archive_is_told_by_a_signed_message_when_it_is_done(archives, hook):
    job = archives.built(INLINE, callback=callback(hook))
    assert job["state"] == "done"
    [(path, headers, body)] = hook.messages
    assert path == "/hook?a=b"
    moment = headers["Webhook-Timestamp"]
    assert abs(time.time() - int(moment)) < 60
    content = f"{headers['Webhook-Id']}.{moment}.".encode() + body
    digest = hmac.digest(KEY, content, hashlib.sha256)
    assert headers["Webhook-Signature"] == "v1," + base64.b64encode(digest).decode()
    assert "Authorization" not in headers
    message = json.loads(body)
    assert message["type"] == "archive.done"
    assert message["data"] == {
        "job": job["url"],
        "state": "done",
        "result": job["result"],
        "problem": None,
    }


def test_a_job_that_failed_is_told_of_with_its_problem(archives, hook):
    twice = [{"name": "a", "text": ""}, {"name": "a", "text": ""}]
    job = archives.built(twice, callback=callback(hook))
    assert job["state"] == "failed"
    message = json.loads(hook.messages[0][2])
    assert message["type"] == "archive.failed"
    assert message["data"]["problem"].items() >= job["problem"].items()
    assert message["data"]["result"] is None


def test_what_does_not_arrive_is_sent_again_as_the_same_message(archives, hook):
    hook.statuses = [500, 302, 204]
    archives.built(INLINE, callback=callback(hook))
    for _ in range(3):
        hurry(archives)
        archives.work()
    assert [path for path, _, _ in hook.messages] == ["/hook?a=b"] * 3, "no redirect is followed"
    assert len({headers["Webhook-Id"] for _, headers, _ in hook.messages}) == 1


def test_an_endpoint_that_is_gone_is_left_alone(archives, hook):
    hook.statuses = [410]
    archives.built(INLINE, callback=callback(hook))
    hurry(archives)
    archives.work()
    assert len(hook.messages) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:22/",
        "http://169.254.169.254/",
        "ftp://example.org/",
        "hook",
        "http://[::1]/",
    ],
)
def test_a_callback_to_where_none_may_go_is_refused(archives, url):
    answer = archives.post(INLINE, callback={"url": url, "secret": SECRET})
    assert_problem(answer, 422, "blocked-address")


def test_a_name_that_leads_inside_is_refused_when_it_is_called(make, hook):
    archives = make()
    url = f"http://localhost.localdomain:8080/{hook.server_port}"
    archives.built(INLINE, callback={"url": url, "secret": SECRET})
    kinds = {job["kind"]: job["state"] for job in archives.look("/jobs")["items"]}
    assert kinds["archive-build"] == "done"
    assert kinds["archive-callback"] != "done"
    assert hook.messages == []


@pytest.mark.parametrize("secret", ["", "short", "whsec_c2hvcnQ=", SECRET[6:], "whsec_" + "=" * 40])
def test_a_secret_that_is_none_is_refused(archives, hook, secret):
    wish = {"url": hook.url, "secret": secret}
    assert_problem(archives.post(INLINE, callback=wish), 422)


def test_a_callback_needs_a_job(archives, hook):
    body = {"entries": INLINE, "callback": callback(hook)}
    answer = archives.client.post("/archives", json=body, headers=archives.headers())
    assert_problem(answer, 422)


def test_a_worker_that_dies_between_has_told_or_will_tell(archives, hook):
    url = archives.order(INLINE, callback=callback(hook))
    with archives.app.app_context():
        run = archives.queue.claim()
        assert archives.queue.settle(run, "done", result="/archives/x")
        assert not archives.queue.settle(run, "done", result="/archives/x")
    assert hook.messages == [], "its worker died here"
    archives.work()
    assert len(hook.messages) == 1
    assert archives.look(url)["state"] == "done"
