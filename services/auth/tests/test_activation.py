from __future__ import annotations

import email
import email.policy
import re
import socketserver
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from itsdangerous import URLSafeTimedSerializer, timed

from glassware.config import ConfigError
from glassware.testing import assert_problem
from glassware_auth.domain import users

PASSWORD = "correct horse battery staple"


class Sink(socketserver.StreamRequestHandler):
    """A mail relay that keeps what it is given; a refused recipient begins with "refused"."""

    def handle(self):
        self.say("220 sink")
        for line in self.rfile:
            verb, _, rest = line.decode().strip().lower().partition(" ")
            if verb == "data":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                data = b"".join(line.removeprefix(b".") for line in lines)
                message = email.message_from_bytes(data, policy=email.policy.default)
                self.server.mails.append(message)
            refused = verb == "rcpt" and "<refused" in rest
            self.say("221 bye" if verb == "quit" else "550 no such box" if refused else "250 fine")
            if verb == "quit":
                return

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def relay():
    """A real SMTP server on a free port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sink) as server:
        server.mails = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        settings = {"mail.host": "127.0.0.1", "mail.port": str(server.server_address[1])}
        try:
            yield SimpleNamespace(mails=server.mails, settings=settings)
        finally:
            server.shutdown()
            thread.join()


def register(house, address=None):
    body = {"email": address or house.new_email(), "name": "Ada", "password": PASSWORD}
    return house.post("/users", json=body)


def test_looking_at_the_link_changes_nothing_and_using_it_works_once(house):
    answer = register(house).json
    for _ in range(2):
        seen = house.get(answer["activation"])
        assert seen.json == {"email": answer["email"], "activated_at": None}
        assert house.call("HEAD", answer["activation"]).status_code == 200
    done = house.post(answer["activation"])
    assert done.status_code == 200
    assert done.json["activated_at"] is not None
    assert_problem(house.post(answer["activation"]), 409, "conflict")
    signed_in = house.post("/login", json={"email": answer["email"], "password": PASSWORD})
    assert signed_in.status_code == 200


def test_of_many_who_use_the_link_at_once_one_activates(house):
    link = register(house).json["activation"]
    barrier, codes = threading.Barrier(12), []

    def use():
        barrier.wait()
        codes.append(house.post(link).status_code)

    threads = [threading.Thread(target=use) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] + [409] * 11


def test_the_link_does_not_bring_back_a_deactivated_account(house, admin):
    answer = register(house).json
    assert house.change("DELETE", answer["url"], admin).status_code == 204
    house.post(answer["activation"])
    refused = house.post("/login", json={"email": answer["email"], "password": PASSWORD})
    assert_problem(refused, 403)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "token", ["", "?token=", "?token=x", "?token=a.b.c", "?token=%F0%9F%92%A9"]
)
def test_a_link_that_is_not_ours_is_refused(house, method, token):
    problem = assert_problem(house.call(method, f"/activation{token}"), 400, "invalid-parameter")
    assert "token" in problem["errors"]


def test_a_changed_link_is_refused(house):
    link = register(house).json["activation"]
    head, _, tail = link.rpartition("token=")
    for place in (0, len(tail) // 2, len(tail) - 5):
        wrong = "A" if tail[place] != "A" else "B"
        changed = f"{head}token={tail[:place]}{wrong}{tail[place + 1 :]}"
        assert_problem(house.post(changed), 400)


def test_a_signed_text_of_another_purpose_is_no_link(house):
    secret = house.app.extensions["glassware"].config["app.secret_key"]
    other = URLSafeTimedSerializer(secret, salt="another").dumps("01a1f84d-2dde-76a3")
    assert_problem(house.post(f"/activation?token={other}"), 400)


def test_an_old_link_is_refused(house):
    answer = register(house).json
    secret = house.app.extensions["glassware"].config["app.secret_key"]
    past = time.time() - users.INVITATION_LIFETIME - 2
    # The clock of the library that signs: there is no other way to an old, true link.
    with patch.object(timed.time, "time", lambda: past):
        old = URLSafeTimedSerializer(secret, salt="activation").dumps(answer["id"])
    assert_problem(house.post(f"/activation?token={old}"), 400)


def test_the_link_is_mailed_to_the_address(start):
    with relay() as sink:
        house = start({**sink.settings, "mail.from": "auth@example.org"})
        body = register(house, "ada@example.org").json
        (mail,) = sink.mails
        assert mail["To"] == "ada@example.org"
        assert mail["From"] == "auth@example.org"
        (link,) = re.findall(r"http\S+token=\S+", mail.get_content())
        assert link == body["activation"]
        assert house.post(link).status_code == 200


def test_nobody_is_registered_when_the_mail_cannot_be_sent(start):
    with relay() as sink:
        house = start(sink.settings)
        assert_problem(register(house, "refused@example.org"), 503, "unavailable")
    answer = register(house, "ada@example.org")
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    admin = house.person(admin=True)
    assert len(house.get("/users", admin).json["items"]) == 1


def test_production_does_not_open_registration_without_a_way_to_send_links(tmp_path):
    from glassware_auth.app import service

    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("app.secret_key", "auth.key_secret"):
        (secrets / name).write_text("0" * 64)
    settings = {
        "service.mode": "production",
        "service.state_dir": str(tmp_path),
        "service.secrets_dir": str(secrets),
    }
    with pytest.raises(ConfigError, match=r"mail\.host"):
        service.create_app({**settings, "auth.registration": "open"}, environ={})
    with pytest.raises(ConfigError, match=r"auth\.algorithms"):
        service.create_app({**settings, "auth.signing_algorithm": "EdDSA"}, environ={})
    config = service.create_app(settings, environ={}).extensions["glassware"].parts
    assert not config.open_registration
    assert not config.password_grant
