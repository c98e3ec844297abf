"""Who asks too often is told so, by whoever they are and wherever they come from."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from glassware.api import Resource
from glassware.api.declare import DeclarationError
from glassware.auth import authenticated, network, public
from glassware.config import ConfigError, Option
from glassware.config.networks import Networks
from glassware.limits.rate import DRAFT
from glassware.service import Service
from glassware.testing import Issuer, assert_problem
from tests.servers import Redis


class Shared(Resource):
    """Has no limit of its own."""

    path = "/shared"
    policy = authenticated()

    def get(self, who: Any) -> Any:
        return {"subject": who.subject}


class Also(Shared):
    """Shares that limit."""

    path = "/also"


class Door(Resource):
    """Has one, and is for everybody."""

    path = "/door"
    policy = public("a door")
    limit = "3/second"

    def get(self, who: Any) -> Any:
        return {}


class Gate(Door):
    """Counts for so long that no test sees it begin anew."""

    path = "/gate"
    limit = "3/hour"


class Window(Resource):
    """Has one for one of its methods."""

    path = "/window"
    policy = public("a window")
    limit = {"POST": "1/hour"}

    def get(self, who: Any) -> Any:
        return {}

    def post(self, who: Any) -> Any:
        return {}


class Hatch(Door):
    """Has one for reading, in whichever way."""

    path = "/hatch"
    limit = {"GET": "2/hour"}


class Vault(Resource):
    """Is for one network only."""

    path = "/vault"
    policy = network("vault.networks")

    def get(self, who: Any) -> Any:
        return {}


class Safe(Resource):
    """Is for one network, and those who have proved who they are."""

    path = "/safe"
    policy = network("vault.networks") & authenticated()

    def get(self, who: Any) -> Any:
        return {}


service = Service(
    "doors",
    package="glassware",
    resources=(Shared, Also, Door, Gate, Window, Hatch, Vault, Safe),
    options=(Option("vault.networks", Networks, ["192.0.2.0/24"], "Who may open the vault."),),
)

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def start(tmp_path: Path, issuer: Issuer) -> Callable[..., Flask]:
    def run(**settings: str) -> Flask:
        given = {
            "service.mode": "development",
            "service.state_dir": str(tmp_path),
            "service.secrets_dir": str(tmp_path / "secrets"),
            "limits.storage": "memory://",
            "server.proxies": "10.0.0.0/8",
            **{name.replace("__", "."): text for name, text in settings.items()},
        }
        return service.create_app(given, environ={}, transports={"auth": issuer.transport})

    return run


def ask(app: Flask, path: str, address: str = "203.0.113.1", **more: Any) -> Any:
    return app.test_client().open(path, environ_overrides={"REMOTE_ADDR": address}, **more)


def statuses(app: Flask, times: int, path: str, **more: Any) -> list[int]:
    return [ask(app, path, **more).status_code for _ in range(times)]


def headers(answer: Any) -> tuple[str, dict[str, int]]:
    """Return the policy as it is written, and what is left of it and for how long."""
    found = re.fullmatch(
        r'"(?P<name>[a-z_.]+)";r=(?P<r>\d+);t=(?P<t>\d+)', answer.headers["RateLimit"]
    )
    assert found is not None
    return answer.headers["RateLimit-Policy"], {"r": int(found["r"]), "t": int(found["t"])}


def failures(app: Flask) -> float:
    text = ask(app, "/metrics", "127.0.0.1").text
    return float(re.findall(r"^rate_limit_failures_total (\S+)", text, re.M)[0])


def test_every_answer_says_what_is_left_in_the_words_of_the_draft(
    start: Any, issuer: Issuer
) -> None:
    app = start(limits__default="3/minute")
    mine = issuer.headers("ann")
    answers = [ask(app, path, headers=mine) for path in ("/shared", "/also", "/shared?x=1")]
    assert [answer.status_code for answer in answers] == [200, 200, 400]
    told = [headers(answer) for answer in answers]
    assert {policy for policy, _ in told} == {'"default";q=3;w=60'}
    assert [left["r"] for _, left in told] == [2, 1, 0]
    assert all(1 <= left["t"] <= 121 for _, left in told)
    assert DRAFT.endswith("-11")


@pytest.mark.parametrize("media", ["json", "xml"])
def test_one_too_many_is_a_429_that_says_when_to_come_again(start: Any, media: str) -> None:
    app = start()
    asked: list[Any] = []
    # A second may pass between two of them, and the count begins anew.
    while not asked or (asked[-1].status_code == 200 and len(asked) < 40):
        asked.append(ask(app, "/door", headers={"Accept": f"application/{media}"}))
    assert len(asked) > 3
    problem = assert_problem(asked[-1], 429, "too-many-requests")
    assert problem["detail"] == "This may be asked 3 times in 1 seconds."
    assert asked[-1].headers["Content-Type"] == f"application/problem+{media}"
    assert headers(asked[-1]) == (
        '"door";q=3;w=1',
        {"r": 0, "t": int(asked[-1].headers["Retry-After"])},
    )


def test_who_comes_again_as_told_is_let_in(start: Any) -> None:
    app = start()
    for _ in range(2):
        while (answer := ask(app, "/door")).status_code == 200:
            pass
        time.sleep(int(answer.headers["Retry-After"]))
        assert ask(app, "/door").status_code == 200


def test_a_caller_is_a_subject_wherever_it_comes_from(start: Any, issuer: Issuer) -> None:
    app = start(limits__default="2/minute")
    ann, ben = issuer.headers("ann"), issuer.headers("ben")
    assert statuses(app, 1, "/shared", headers=ann) == [200]
    assert statuses(app, 2, "/shared", headers=ann, address="203.0.113.2") == [200, 429]
    assert statuses(app, 2, "/shared", headers=ben) == [200, 200]


def test_nobody_in_particular_is_a_network(start: Any) -> None:
    app = start()
    home = ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::", "2001:db8:1:2::1"]
    assert [ask(app, "/gate", each).status_code for each in home] == [200, 200, 200, 429]
    assert ask(app, "/gate", "2001:db8:1:3::1").status_code == 200
    mapped = ["198.51.100.1", "::ffff:198.51.100.1", "198.51.100.1", "::ffff:c633:6401"]
    assert [ask(app, "/gate", each).status_code for each in mapped] == [200, 200, 200, 429]


def test_behind_a_proxy_each_caller_counts_for_itself_and_cannot_forge_another(start: Any) -> None:
    app = start()

    def told(chain: str) -> int:
        answer = ask(app, "/gate", "10.0.0.1", headers={"X-Forwarded-For": chain})
        return int(answer.status_code)

    assert [told(f"192.0.2.{n}, 203.0.113.1, 10.0.0.2") for n in range(4)] == [200] * 3 + [429]
    assert told("203.0.113.2, 10.0.0.2") == 200
    assert statuses(app, 1, "/gate", headers={"X-Forwarded-For": "192.0.2.9"}) == [429]


def test_credentials_that_do_not_hold_count_for_where_they_come_from(
    start: Any, issuer: Issuer
) -> None:
    app = start(limits__default="3/minute")
    wrong = {"Authorization": "Bearer a.b.c"}
    assert statuses(app, 4, "/shared", headers=wrong) == [401, 401, 401, 429]
    assert statuses(app, 1, "/shared") == [429]
    assert statuses(app, 1, "/shared", headers=issuer.headers("cay")) == [200]


def test_a_limit_of_one_method_leaves_the_others_to_the_one_that_all_share(start: Any) -> None:
    app = start(limits__default="2/minute")
    assert statuses(app, 2, "/window", method="POST") == [200, 429]
    assert statuses(app, 3, "/window") == [200, 200, 429]


def test_who_asks_for_the_head_alone_has_asked(start: Any) -> None:
    app = start()
    asked = [ask(app, "/hatch", method=method).status_code for method in ("HEAD", "GET", "HEAD")]
    assert asked == [200, 200, 429]


def test_health_and_metrics_have_none(start: Any) -> None:
    app = start(limits__default="1/hour")
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert set(statuses(app, 5, path, address="127.0.0.1")) <= {200, 503}
        assert "RateLimit" not in ask(app, path, "127.0.0.1").headers


@pytest.mark.parametrize("settings", [{"limits__storage": ""}, {"limits__default": ""}])
def test_what_is_not_limited_says_nothing(start: Any, settings: Any, issuer: Issuer) -> None:
    answer = ask(start(**settings), "/shared", headers=issuer.headers("ann"))
    assert answer.status_code == 200
    assert "RateLimit" not in answer.headers


@pytest.mark.parametrize(
    "settings", [{"limits__default": "many"}, {"limits__storage": "mongodb://localhost"}]
)
def test_a_limit_that_is_none_stops_the_boot(start: Any, settings: Any) -> None:
    with pytest.raises(ConfigError, match="limits: "):
        start(**settings)


def test_processes_with_one_redis_count_together(start: Any, redis: Redis) -> None:
    apps = [start(limits__storage=redis.url) for _ in range(2)]
    told = [ask(apps[n % 2], "/window", method="POST") for n in range(3)]
    assert [answer.status_code for answer in told] == [200, 429, 429]
    assert headers(told[2])[1]["r"] == 0
    assert 3_500 < int(told[2].headers["Retry-After"]) <= 3_601


def test_a_redis_that_dies_lets_everybody_in_and_comes_back(start: Any, redis: Redis) -> None:
    app = start(limits__storage=redis.url)
    assert 429 in statuses(app, 4, "/gate", address="203.0.113.50")
    redis.stop()
    assert statuses(app, 6, "/gate", address="203.0.113.50") == [200] * 6
    assert failures(app) == 6
    redis.start()
    time.sleep(1.1)
    assert 429 in statuses(app, 4, "/gate", address="203.0.113.50")
    assert failures(app) == 6


@pytest.fixture
def hanging() -> Iterator[str]:
    """The URL of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_a_redis_that_hangs_holds_nobody_up(start: Any, hanging: str) -> None:
    app = start(limits__storage=hanging)
    began = time.monotonic()
    assert statuses(app, 50, "/door") == [200] * 50
    assert time.monotonic() - began < 2
    assert failures(app) == 50


def test_a_burst_on_many_threads_gets_no_further_than_a_row(start: Any) -> None:
    app, found = start(), []

    def burst() -> None:
        found.extend(statuses(app, 5, "/window", method="POST"))

    threads = [threading.Thread(target=burst) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] + [429] * 29


def test_a_safelist_lets_in_who_comes_from_there(start: Any, issuer: Issuer) -> None:
    app, token = start(), issuer.headers("ann")
    assert ask(app, "/vault", "192.0.2.7").status_code == 200
    assert ask(app, "/vault", "::ffff:192.0.2.7").status_code == 200
    assert ask(app, "/safe", "192.0.2.7", headers=token).status_code == 200
    assert ask(app, "/safe", "192.0.2.7").status_code == 401
    told = {"X-Forwarded-For": "192.0.2.7, 10.0.0.9"}
    assert ask(app, "/vault", "10.0.0.1", headers=told).status_code == 200


@pytest.mark.parametrize("path", ["/vault", "/safe", "/metrics"])
@pytest.mark.parametrize("token", [True, False])
def test_from_anywhere_else_no_token_helps(
    start: Any, issuer: Issuer, path: str, token: bool
) -> None:
    given = {**(issuer.headers("ann") if token else {}), "X-Forwarded-For": "192.0.2.7"}
    problem = assert_problem(ask(start(), path, headers=given), 403, "forbidden")
    assert "network" in problem["required"]


def test_a_policy_by_an_option_that_is_none_stops_the_boot(tmp_path: Path) -> None:
    broken = Service("doors", package="glassware", resources=(Vault,))
    places = {"service.mode": "development", "service.secrets_dir": str(tmp_path)}
    with pytest.raises(DeclarationError, match=r"vault\.networks is no option of type Networks"):
        broken.create_app(places, environ={})


@pytest.mark.parametrize("limit", ["often", {"GET": "1/second", "POST": "1"}])
def test_a_limit_that_cannot_be_read_stops_the_boot(tmp_path: Path, limit: Any) -> None:
    door = type("Broken", (Door,), {"limit": limit})
    places = {"service.mode": "development", "service.secrets_dir": str(tmp_path)}
    with pytest.raises(DeclarationError, match="is no limit; write 600/minute"):
        Service("doors", package="glassware", resources=(door,)).create_app(places, environ={})
