"""Jobs over a broker: what it carries is done at once; what it loses or doubles is done once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from glassware.config import ConfigError
from glassware.jobs.carrier import PAUSE
from glassware.jobs.worker import Worker
from glassware.testing import assert_problem
from tests import servers

from . import toys
from .conftest import CARRIED, Shop
from .test_jobs import wait_until

NEVER = "3600"


@pytest.fixture(params=CARRIED)
def far(
    request: pytest.FixtureRequest, tmp_path: Path, brokers: Callable[[str], str]
) -> Iterator[Shop]:
    """A shop whose workers do not look into the table again in the time of a test."""
    shop = Shop(tmp_path, {"jobs.broker": brokers(request.param), "jobs.poll": NEVER})
    with shop.app.app_context():
        toys.db.create_all()
    yield shop
    shop.close()


@contextmanager
def working(*workers: Worker) -> Iterator[None]:
    for worker in workers:
        worker.next_look = time.monotonic() + float(NEVER)
    threads = [threading.Thread(target=worker.run, args=(5,)) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stopping.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()


def states(shop: Shop, urls: list[str]) -> set[str]:
    return {shop.look(url)["state"] for url in urls}


def attempts(shop: Shop) -> set[int]:
    return set(shop.sql("SELECT attempts FROM jobs").scalars())


def test_a_broker_carries_each_job_to_one_of_the_workers(far: Shop) -> None:
    early = [far.order("build", name=f"early{number}") for number in range(5)]
    with working(far.worker, Worker(far.another())):
        late = [far.order("build", name=f"late{number}") for number in range(10)]
        wait_until(lambda: states(far, early + late) == {"done"})
    assert attempts(far) == {1}


def test_a_message_that_comes_twice_is_one_job(far: Shop) -> None:
    url = far.order("build", name="once", pause=0.02, number=20)
    for _ in range(5):
        far.queue.carrier.send(UUID(url.rpartition("/")[2]))
    with working(far.worker, Worker(far.another())):
        wait_until(lambda: far.look(url)["state"] == "done")
        last = far.order("build", name="last")
        wait_until(lambda: far.look(last)["state"] == "done")
    assert attempts(far) == {1}


def test_a_request_that_fails_sends_nothing(far: Shop) -> None:
    sent: list[object] = []
    broker = far.queue.carrier.broker
    broker.add_middleware(Watch(sent))
    assert_problem(far.client.post("/toys", json={"kind": "none"}, headers=far.headers()), 422)
    assert sent == []
    far.order("build")
    assert len(sent) == 1


class Watch:
    """Notes what is sent."""

    actor_options: frozenset[str] = frozenset()

    def __init__(self, sent: list[object]) -> None:
        self.sent = sent

    def before_enqueue(self, _broker: object, message: object, _delay: object) -> None:
        self.sent.append(message)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith(("before_", "after_")):
            return lambda *_, **__: None
        raise AttributeError(name)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:9", "amqp://127.0.0.1:9"])
def test_without_its_broker_a_job_is_taken_and_done_from_the_table(
    tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop(tmp_path, {"jobs.broker": url})
    with shop.app.app_context():
        toys.db.create_all()
    began = time.monotonic()
    urls = [shop.order("build", name=f"n{number}") for number in range(5)]
    assert time.monotonic() - began < PAUSE, "a broker that is away is not asked each time"
    assert "job_not_carried" in caplog.messages
    with working(shop.worker):
        shop.worker.next_look = 0
        wait_until(lambda: states(shop, urls) == {"done"})
    shop.close()


def test_a_broker_that_dies_and_comes_back_has_lost_no_job(tmp_path: Path) -> None:
    with servers.redis() as server:
        shop = Shop(tmp_path, {"jobs.broker": server.url})
        with shop.app.app_context():
            toys.db.create_all()
        urls = [shop.order("build", name="before")]
        server.stop()
        urls.append(shop.order("build", name="meanwhile"))
        server.start()
        with working(shop.worker):
            shop.worker.next_look = 0
            wait_until(lambda: states(shop, urls) == {"done"})
        assert attempts(shop) == {1}
        shop.close()


@pytest.mark.parametrize("url", ["kafka://host", "redis", "redis://a:b", "amqp://a:b"])
def test_a_url_of_no_broker_stops_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"jobs\.broker"):
        Shop(tmp_path, {"jobs.broker": url})
