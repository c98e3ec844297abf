"""A service account may sign its requests to us, by the key that it is known by."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ED25519

from glassware.testing import assert_problem

URL = "http://127.0.0.1:7001"


@dataclass
class Sent:
    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def key():
    return Ed25519PrivateKey.generate()


@pytest.fixture
def robot(house, admin, key):
    """A service account that has the key."""
    house.count += 1
    facts = {"client_id": f"robot-{house.count}", "scopes": ["clients:admin"]}
    made = house.post("/clients", admin, json={**facts, "signing_key": public(key)})
    assert made.status_code == 201, made.text
    return made.json


def public(key):
    raw = key.public_key().public_bytes_raw()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(name, key, path="/clients", method="GET"):
    """Return the headers of a request that is signed now."""
    resolver = MappingKeyResolver(public_keys={}, private_keys={name: key})
    sent = Sent(method, URL + path)
    HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=resolver).sign(
        sent, key_id=name, nonce=uuid4().hex, covered_component_ids=("@method", "@target-uri")
    )
    return sent.headers


def test_who_signs_is_let_in_with_its_scopes_and_once(house, robot, key):
    headers = signed(robot["client_id"], key)
    assert house.get("/clients", headers=headers).status_code == 200
    assert_problem(house.get("/clients", headers=headers), 401)
    assert_problem(house.get("/users", headers=signed(robot["client_id"], key, "/users")), 403)


def test_only_its_own_key_signs_for_it(house, admin, robot):
    stranger = Ed25519PrivateKey.generate()
    for name in (robot["client_id"], "nobody", "login"):
        assert_problem(house.get("/clients", headers=signed(name, stranger)), 401)


def test_a_key_that_was_taken_away_or_whose_client_is_gone_signs_nothing(house, admin, robot, key):
    name = robot["client_id"]
    assert house.get("/clients", headers=signed(name, key)).status_code == 200
    assert house.change("DELETE", robot["url"], admin).status_code == 204
    assert_problem(house.get("/clients", headers=signed(name, key)), 401)
    house.change("PATCH", robot["url"], admin, {"active": True})
    assert house.get("/clients", headers=signed(name, key)).status_code == 200
    house.change("PATCH", robot["url"], admin, {"signing_key": None})
    assert_problem(house.get("/clients", headers=signed(name, key)), 401)


@pytest.mark.parametrize(
    "text", ["", "x" * 43, "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 43 + "\n"]
)
def test_a_signing_key_is_an_ed25519_key(house, admin, text):
    house.count += 1
    facts = {"client_id": f"robot-{house.count}", "scopes": [], "signing_key": text}
    assert "signing_key" in assert_problem(house.post("/clients", admin, json=facts), 422)["errors"]
