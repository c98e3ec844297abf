"""The start page asks its neighbours how they are: seldom, and without waiting long."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from werkzeug.wrappers import Response

from glassware.client.transports import WSGITransport
from glassware.config import ConfigError
from glassware.openapi.neighbours import KEPT, Neighbours
from glassware.testing import Issuer, Mesh
from glassware_tasks.app import service as tasks


class Neighbour(Issuer):
    """A neighbour whose health is what its ``answer`` says."""

    def answers(self, status: int) -> None:
        def respond() -> Response:
            return Response(b'{"status": "x"}', status, content_type="application/json")

        self.answer = respond


def shown_of(neighbour: Neighbour, clock: list[float]) -> Neighbours:
    ways = {"auth": WSGITransport(neighbour)}
    return Neighbours({"auth": "http://127.0.0.1:7001"}, ways, clock=lambda: clock[0])


def test_health_is_asked_for_once_in_a_while_and_then_anew() -> None:
    neighbour, clock = Neighbour(), [0.0]
    neighbour.answers(200)
    shown = shown_of(neighbour, clock)
    assert [each.status for each in (*shown.health(), *shown.health())] == ["ok", "ok"]
    assert neighbour.asked == 1
    neighbour.answers(503)
    clock[0] = KEPT - 0.1
    assert shown.health()[0].status == "ok"
    clock[0] = KEPT
    (sick,) = shown.health()
    assert (sick.name, sick.url) == ("auth", "http://127.0.0.1:7001")
    assert "503" in sick.status
    assert neighbour.asked == 2


def test_a_neighbour_that_hangs_costs_a_second_and_is_not_asked_by_two() -> None:
    neighbour, release = Neighbour(), threading.Event()

    def hang() -> Response:
        release.wait(10)
        return Response()

    neighbour.answer = hang
    shown = shown_of(neighbour, [0.0])
    began = time.monotonic()
    threads = [threading.Thread(target=shown.health) for _ in range(5)]
    for thread in threads:
        thread.start()
    (sick,) = shown.health()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 3
    assert "1 s" in sick.status
    assert neighbour.asked == 1
    release.set()


def test_services_of_the_configuration_are_shown_in_place_of_the_siblings() -> None:
    issuer = Issuer()
    settings = {"suite.services": "one = http://127.0.0.1:1/, auth=http://127.0.0.1:7001"}
    with Mesh([tasks], transports={"auth": issuer.transport}, settings=settings) as mesh:
        text = mesh.client("tasks").get("/", headers={"Accept": "text/html"}).text
    assert 'href="http://127.0.0.1:1/"' in text
    assert text.count('class="light bad"') == 1
    assert "one cannot be reached" in text


def test_a_service_without_a_url_stops_the_boot(tmp_path: Path) -> None:
    places = {"service.state_dir": str(tmp_path), "service.secrets_dir": str(tmp_path / "secrets")}
    settings = {"service.mode": "development", "suite.services": "auth", **places}
    with pytest.raises(ConfigError, match=r"suite\.services: 'auth' is not of the form name=URL"):
        tasks.create_app(settings, environ={})
