from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from flask.cli import ScriptInfo

from glassware_auth import commands


@pytest.fixture
def fresh(start):
    return start()


@pytest.fixture
def run(fresh):
    def invoke(*words, code=0):
        group = getattr(commands, words[0])
        info = ScriptInfo(create_app=lambda: fresh.app)
        done = CliRunner().invoke(group, words[1:], obj=info)
        assert done.exit_code == code, done.output
        return done.output.removesuffix("\n")

    return invoke


def facts(output):
    return dict(line.split(": ", 1) for line in output.splitlines())


def sign_in(house, email, password):
    return house.post("/login", json={"email": email, "password": password})


def test_a_user_is_created_with_a_password_that_is_shown_once(fresh, run):
    made = facts(run("users", "create", "Ada@Example.org"))
    assert made["email"] == "ada@example.org"
    scopes = sign_in(fresh, made["email"], made["password"]).json["scope"]
    assert "users:admin" not in scopes
    assert made["password"] not in run("users", "list")


def test_a_password_may_come_from_a_file_and_is_not_shown(fresh, run, tmp_path):
    path = tmp_path / "password"
    path.write_text("correct horse battery staple\n")
    shown = run("users", "create", "a@example.org", "--admin", "--password-file", str(path))
    assert shown == "email: a@example.org"
    grant = sign_in(fresh, "a@example.org", "correct horse battery staple").json
    assert "users:admin" in grant["scope"].split()


@pytest.mark.parametrize("content", [b"short", b"\xff" * 20, None])
def test_a_file_without_a_password_is_told_of(run, tmp_path, content):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    shown = run("users", "create", "a@example.org", "--password-file", str(path), code=1)
    assert "password" in shown
    assert "Traceback" not in shown
    assert run("users", "list") == ""


def test_what_is_wrong_is_one_line_for_each_field(run):
    assert "email: Not" in run("users", "create", "nobody", code=1)
    run("users", "create", "a@example.org")
    assert "already" in run("users", "create", "A@example.org", code=1)


def test_the_first_administrator_is_created_once(fresh, run):
    made = json.loads(run("users", "create-first-admin", "--json"))
    assert made["created"] is True
    scopes = sign_in(fresh, made["email"], made["password"]).json["scope"]
    assert "users:admin" in scopes.split()
    assert json.loads(run("users", "create-first-admin", "--json")) == {"created": False}
    assert run("users", "create-first-admin") == "There already is an administrator."


def test_a_deactivated_administrator_is_none(run):
    run("users", "create-first-admin", "--email", "a@example.org")
    run("users", "deactivate", "a@example.org")
    made = facts(run("users", "create-first-admin", "--email", "b@example.org"))
    assert made["email"] == "b@example.org"
    listed = run("users", "list").splitlines()
    assert listed[0].startswith("a@example.org ")
    assert listed[0].endswith(" admin deactivated")
    assert listed[1].endswith(" admin")


def test_a_new_password_ends_the_sessions(fresh, run):
    made = facts(run("users", "create", "a@example.org"))
    grant = sign_in(fresh, **made).json
    new = facts(run("users", "passwd", "a@example.org"))
    assert fresh.refresh(grant["refresh_token"]).status_code == 400
    assert sign_in(fresh, **made).status_code == 401
    assert sign_in(fresh, **new).status_code == 200


def test_a_user_that_is_not_there_is_told_of(run):
    assert "no user x@example.org" in run("users", "deactivate", "x@example.org", code=1)
    assert "no client nothing" in run("clients", "rotate-secret", "nothing", code=1)
    assert "no key nothing" in run("keys", "retire", "nothing", code=1)


def code_of(house, made):
    return house.grant(grant_type="client_credentials", **made).status_code


def test_a_service_account_is_created_and_its_secret_rotated(fresh, run):
    words = ("clients", "create", "archives", "--scopes", "users:read tasks:read", "--json")
    first = json.loads(run(*words))
    assert set(first) == {"client_id", "client_secret"}
    second = json.loads(run("clients", "rotate-secret", "archives", "--json"))
    assert [code_of(fresh, each) for each in (first, second)] == [200, 200]
    third = json.loads(run("clients", "rotate-secret", "archives", "--now", "--json"))
    assert [code_of(fresh, each) for each in (first, second, third)] == [401, 401, 200]
    assert run("clients", "list") == "archives users:read tasks:read"


def test_a_service_account_that_cannot_be_is_told_of(run):
    assert "client_id" in run("clients", "create", "Not a name", code=1)
    assert "scopes.0" in run("clients", "create", "name", "--scopes", "<x>", code=1)


def test_keys_are_listed_rotated_and_retired(fresh, run):
    (first,) = run("keys", "list").splitlines()
    kid, algorithm, state, *_ = first.replace(",", "").split()
    assert (algorithm, state) == ("ES256", "active")
    assert "ES256 next" in run("keys", "rotate")
    assert "The next key signs from" in run("keys", "rotate", code=1)
    assert "ES256 active" in run("keys", "rotate", "--now")
    assert "ES256 dropped" in run("keys", "retire", kid, "--compromised")
    listed = [key["kid"] for key in fresh.get("/.well-known/jwks.json").json["keys"]]
    assert len(listed) == 1
    assert kid not in listed
