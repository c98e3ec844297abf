"""Whom it believes, whom it lets in, and what it keeps to itself."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from werkzeug.wrappers import Response

from glassware.api import Resource
from glassware.api.declare import DeclarationError
from glassware.auth import network
from glassware.config import ConfigError
from glassware.service import Service
from glassware.testing import assert_problem

from .conftest import Bear, Newborn


def test_row_03_production_refuses_a_secret_that_was_not_made_for_it(
    bear: Bear, service: Service
) -> None:
    newborn = bear()
    key = newborn.folder / "secrets" / "app.secret_key"
    key.write_text("development-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
    with pytest.raises(ConfigError, match=r"app\.secret_key"):
        service.create_app(newborn.settings, environ={})
    key.unlink()
    with pytest.raises(ConfigError, match=r"app\.secret_key"):
        service.create_app(newborn.settings, environ={})


def test_row_09_tokens_hold_by_published_keys_that_may_change(bear: Bear) -> None:
    newborn = bear(**{"auth.keys_cooldown": "0"})
    assert newborn.get("/notes").status_code == 200
    newborn.issuer.rotate()
    assert newborn.get("/notes").status_code == 200
    for claims in ({"exp": 1}, {"aud": "others"}, {"iss": "https://evil.example.org"}):
        headers = newborn.issuer.headers(newborn.me, "notes:read", **claims)
        assert_problem(newborn.client.get("/notes", headers=headers), 401)


def sick() -> dict[str, Any]:
    def hang() -> Response:
        time.sleep(3)
        return Response("late")

    def die() -> Response:
        raise ConnectionError

    return {"hangs": hang, "dies": die, "babbles": lambda: Response(b"\x00<html>")}


@pytest.mark.parametrize("illness", ["hangs", "dies", "babbles"])
def test_row_10_a_sick_issuer_makes_no_request_wait(bear: Bear, illness: str) -> None:
    newborn = bear(**{"auth.keys_refresh": "1", "fast.tokens": "false"})
    assert newborn.get("/notes").status_code == 200
    newborn.issuer.answer = sick()[illness]
    time.sleep(1.1)
    for _ in range(5):
        began = time.monotonic()
        assert newborn.get("/notes").status_code == 200
        assert time.monotonic() - began < 1


def test_row_11_a_signed_request_needs_somebody_who_knows_the_signer(newborn: Newborn) -> None:
    """A service finds the keys of signers by ``find_signer``; without one nobody signs."""
    headers = {"Signature-Input": 'a=("@method");created=1;keyid="x"', "Signature": "a=:AA==:"}
    assert_problem(newborn.client.get("/notes", headers=headers), 401)


def test_row_12_a_policy_may_go_by_networks_behind_declared_proxies(bear: Bear) -> None:
    closed = bear(**{"metrics.allow": "192.0.2.0/24"})
    assert_problem(closed.client.get("/metrics"), 403)
    forged = {"X-Forwarded-For": "192.0.2.7"}
    assert_problem(closed.client.get("/metrics", headers=forged), 403)
    behind = bear(**{"metrics.allow": "192.0.2.0/24", "server.proxies": "127.0.0.1/32"})
    assert behind.client.get("/metrics", headers=forged).status_code == 200
    assert "network" in str(network("metrics.allow"))


def test_row_13_a_resource_without_a_policy_stops_the_boot(
    service: Service, newborn: Newborn
) -> None:
    from dataclasses import replace

    class Open(Resource):
        """Forgotten."""

        path = "/open"

        def get(self, who: Any) -> Any:
            return {}

    careless = replace(service, resources=(*service.resources, Open))
    with pytest.raises(DeclarationError, match="no policy"):
        careless.create_app(newborn.settings, environ={})


def test_row_16_only_its_own_hosts(newborn: Newborn) -> None:
    assert_problem(newborn.get("/notes", Host="evil.example.org"), 421)


def test_row_25_no_secret_comes_out(newborn: Newborn, log: io.StringIO) -> None:
    canary = "canary-0123456789-abcdefgh"
    key = (newborn.folder / "secrets" / "app.secret_key").read_text()
    answers = [
        newborn.client.get(f"/notes?access_token={canary}", headers=newborn.headers()),
        newborn.client.get("/notes", headers={"Authorization": f"Bearer {canary}"}),
        newborn.client.post("/notes", json={"password": canary}, headers=newborn.headers()),
        newborn.client.get("/fault", headers={"Cookie": f"session_id={canary}"}),
    ]
    shown = log.getvalue() + "".join(answer.text for answer in answers)
    assert "request_id" in shown
    assert canary not in shown
    assert key not in shown
