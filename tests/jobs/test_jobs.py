"""Jobs: whoever dies, every job ends done or failed, none is lost, none counts twice."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from glassware.jobs.kinds import LostError
from glassware.jobs.worker import Worker
from glassware.media import xml
from glassware.testing import assert_problem

from . import toys
from .conftest import Shop

SECRET = "a wish that nobody may read"


def test_a_job_is_waiting_then_done_and_leads_to_its_result(shop: Shop) -> None:
    url = shop.order("build", name="bear", number=3)
    waiting = shop.look(url)
    assert (waiting["state"], waiting["result"], waiting["finished_at"]) == ("waiting", None, None)
    assert shop.step()
    done = shop.look(url)
    assert (done["state"], done["done"], done["total"]) == ("done", 3, 3)
    assert done["result"] == "http://127.0.0.1:7009/toys/bear"
    assert done["expires_at"] > done["finished_at"] >= done["created_at"]
    assert not shop.step()


def test_a_job_says_the_same_in_xml(shop: Shop) -> None:
    url = shop.order("refuse", number=422)
    shop.step()
    answer = shop.client.get(url, headers=shop.headers(Accept="application/xml"))
    from glassware.jobs.resources import JobSchema

    with shop.app.app_context(), shop.app.test_request_context(base_url="http://127.0.0.1:7009"):
        assert xml.loads(answer.content, JobSchema()) == shop.look(url)


def test_a_request_that_fails_has_added_nothing(shop: Shop) -> None:
    refused = shop.client.post("/toys", json={"kind": "none"}, headers=shop.headers())
    assert_problem(refused, 422)
    assert shop.client.get("/jobs", headers=shop.headers()).json()["items"] == []
    assert not shop.step()


def test_another_caller_sees_none_of_it(shop: Shop) -> None:
    url = shop.order("build")
    other = shop.headers("0190a1b2-0000-7000-8000-00000000abcd")
    assert shop.client.get("/jobs", headers=other).json()["items"] == []
    for method in ("GET", "DELETE"):
        assert_problem(shop.client.request(method, url, headers=other), 404)
    assert_problem(shop.client.get("/jobs"), 401)
    assert shop.look(url)["state"] == "waiting"


def test_what_is_to_be_done_is_not_readable_in_the_database(shop: Shop) -> None:
    shop.order("build", name=SECRET)
    row = shop.sql("SELECT * FROM jobs").one()
    token = shop.headers()["Authorization"].partition(" ")[2]
    for value in row:
        shown = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        assert SECRET not in shown
        assert token[:30] not in shown


def test_a_problem_of_the_callers_ends_the_job_at_once_and_is_told_whole(shop: Shop) -> None:
    url = shop.order("refuse", number=422)
    assert shop.step()
    failed = shop.look(url)
    assert failed["state"] == "failed"
    assert failed["problem"]["errors"] == {"name": ["Too odd."]}
    assert failed["problem"]["status"] == 422
    shop.hurry()
    assert not shop.step(), "it is not tried again"


def test_a_problem_of_ours_is_tried_again_later_and_then_told_with_its_cause(shop: Shop) -> None:
    url = shop.order("refuse", number=503)
    for attempt in range(3):
        assert shop.step(), attempt
        assert not shop.step(), "not before its time"
        assert shop.look(url)["state"] == ("failed" if attempt == 2 else "waiting")
        shop.hurry()
    assert shop.look(url)["problem"]["cause"]["title"] == "Holidays"
    assert not shop.step()


def test_a_fault_is_tried_again_and_its_text_is_nobodys(shop: Shop) -> None:
    good, bad = shop.order("stumble", name="a", number=2), shop.order("stumble", number=9)
    for _ in range(6):
        shop.hurry()
        shop.step()
    assert shop.look(good)["state"] == "done"
    assert toys.DONE == [("a", 3)]
    failed = shop.look(bad)
    assert failed["state"] == "failed"
    assert "password" not in str(failed)
    assert failed["problem"]["request_id"]


def test_of_many_workers_each_job_is_done_by_one(shop: Shop) -> None:
    urls = [shop.order("build", name=f"n{number}") for number in range(20)]
    workers = [Worker(shop.app), Worker(shop.app), Worker(shop.another())]

    def drain(worker: Worker) -> None:
        with worker.app.app_context():
            while worker.step():
                pass

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(drain, workers * 2))
    assert sorted(name for name, _ in toys.DONE) == sorted(f"n{number}" for number in range(20))
    assert {shop.look(url)["state"] for url in urls} == {"done"}


def test_a_dead_workers_job_is_done_by_another_and_the_dead_can_write_nothing(shop: Shop) -> None:
    url = shop.order("build", name="bear")
    lost = shop.queue.claim()
    assert shop.queue.claim() is None, "it is not free before its lease is over"
    shop.hurry()
    assert shop.step()
    assert shop.look(url)["state"] == "done"
    assert toys.DONE == [("bear", 2)]
    lost.done = 77
    assert not shop.queue.renew(lost)
    assert not shop.queue.settle(lost, "failed", problem={"title": "from the grave"})
    assert not shop.queue.release(lost)
    assert not shop.queue.retry(lost, {})
    assert shop.look(url)["problem"] is None


def test_a_job_whose_workers_die_each_time_fails_in_the_end(shop: Shop) -> None:
    url = shop.order("build")
    for _ in range(3):
        assert shop.queue.claim() is not None
        shop.hurry()
    assert shop.step()
    assert shop.look(url)["state"] == "failed"
    assert "died" in shop.look(url)["problem"]["detail"]
    assert toys.DONE == []


@pytest.mark.parametrize("begun", [False, True])
def test_a_cancelled_job_ends_and_its_worker_learns_it(shop: Shop, begun: bool) -> None:
    url = shop.order("build", name="long", number=1000, pause=0.02)
    thread = threading.Thread(target=shop.step)
    if begun:
        thread.start()
        wait_until(lambda: shop.look(url)["done"] > 0)
    assert shop.client.delete(url, headers=shop.headers()).status_code == 204
    assert shop.look(url)["state"] == "cancelled"
    if begun:
        began = time.monotonic()
        thread.join(10)
        assert not thread.is_alive()
        assert time.monotonic() - began < 5
    assert not shop.step()
    assert toys.DONE == []
    assert shop.look(url)["state"] == "cancelled"


def test_an_ended_job_can_be_forgotten(shop: Shop) -> None:
    url = shop.order("build")
    shop.step()
    assert shop.client.delete(url, headers=shop.headers()).status_code == 204
    assert_problem(shop.client.get(url, headers=shop.headers()), 404)


def test_a_running_job_says_how_fast_it_is_and_how_long_it_will_take(shop: Shop) -> None:
    url = shop.order("build", number=100, pause=0.03)
    assert [shop.look(url)[name] for name in ("rate", "seconds_left", "steps")] == [None] * 3
    thread = threading.Thread(target=shop.step)
    thread.start()
    wait_until(lambda: shop.look(url)["done"] > 20)
    half = shop.look(url)
    thread.join(20)
    assert 0 < half["rate"] <= 1 / 0.03
    assert half["seconds_left"] == pytest.approx((100 - half["done"]) / half["rate"], rel=0.2)
    assert (half["steps"] > 0, half["steps_total"]) == (True, 100)
    done = shop.look(url)
    assert (done["done"], done["seconds_left"]) == (100, None)
    assert done["rate"] > 0


def test_a_job_that_failed_is_done_again_when_asked_and_by_the_token_of_who_asks(
    shop: Shop,
) -> None:
    url = shop.order("stumble", name="late", number=1)
    shop.sql("UPDATE jobs SET attempts = 3")
    assert shop.step(), "its attempts are used up"
    assert shop.look(url)["state"] == "failed"
    again = shop.client.post(f"{url}/retries", headers=shop.headers())
    assert (again.status_code, again.headers["Location"]) == (202, url)
    waiting = shop.look(url)
    assert (waiting["state"], waiting["problem"], waiting["finished_at"]) == ("waiting", None, None)

    def is_done() -> bool:
        shop.hurry()
        shop.step()
        return bool(shop.look(url)["state"] == "done")

    wait_until(is_done)
    assert_problem(shop.client.post(f"{url}/retries", headers=shop.headers()), 409)
    other = shop.headers("0190a1b2-0000-7000-8000-00000000abcd")
    assert_problem(shop.client.post(f"{url}/retries", headers=other), 404)


def test_a_cancelled_job_is_done_again_when_asked(shop: Shop) -> None:
    url = shop.order("build", name="after all")
    shop.client.delete(url, headers=shop.headers())
    assert shop.client.post(f"{url}/retries", headers=shop.headers()).status_code == 202
    wait_until(shop.step)
    assert shop.look(url)["state"] == "done"
    assert toys.DONE == [("after all", 1)]


def test_who_asks_the_same_while_it_waits_is_given_the_same_job(shop: Shop) -> None:
    first = shop.order("build", name="same", max_age=0)
    assert shop.order("build", name="same", max_age=0) == first
    assert shop.order("build", name="other", max_age=0) != first
    assert shop.order("build", name="same") != first, "it was not asked to be shared"
    other = shop.headers("0190a1b2-0000-7000-8000-00000000abcd")
    body = {"kind": "build", "name": "same", "max_age": 0}
    assert shop.client.post("/toys", json=body, headers=other).headers["Location"] != first


def test_a_job_that_has_begun_stands_for_another_as_long_as_that_allows(shop: Shop) -> None:
    first = shop.order("build", name="same", max_age=0)
    wait_until(shop.step)
    assert shop.look(first)["state"] == "done"
    assert shop.order("build", name="same", max_age=60) == first
    shop.sql("UPDATE jobs SET began_at = '2020-01-01 00:00:00'")
    assert shop.order("build", name="same", max_age=60) != first
    shop.sql("UPDATE jobs SET state = 'failed', began_at = NULL")
    assert shop.order("build", name="same", max_age=60) != first, "one that failed is no answer"


def test_one_caller_cannot_fill_the_queue(shop: Shop) -> None:
    for _ in range(20):
        shop.order("build")
    full = shop.client.post("/toys", json={"kind": "build"}, headers=shop.headers())
    assert_problem(full, 429, "too-many-jobs")
    assert full.headers["Retry-After"]
    other = shop.headers("0190a1b2-0000-7000-8000-00000000abcd")
    assert shop.client.post("/toys", json={"kind": "build"}, headers=other).status_code == 202
    shop.step()
    shop.order("build")


def test_a_worker_that_stops_gives_back_what_it_cannot_finish(shop: Shop) -> None:
    short = shop.order("build", name="short", number=5, pause=0.05)
    long = shop.order("build", name="long", number=1000, pause=0.05)
    thread = threading.Thread(target=shop.worker.run, args=(1.5,))
    thread.start()
    wait_until(lambda: shop.look(long)["state"] == shop.look(short)["state"] == "running")
    shop.worker.stopping.set()
    thread.join(15)
    assert not thread.is_alive()
    assert shop.look(short)["state"] == "done"
    assert shop.look(long)["state"] == "waiting"
    assert shop.sql("SELECT max(attempts) FROM jobs WHERE state = 'waiting'").scalar() == 0


def test_what_ended_long_ago_is_swept_away_and_nothing_else(shop: Shop) -> None:
    old, new, waiting = shop.order("build"), shop.order("build"), shop.order("build")
    shop.step()
    shop.step()
    with shop.app.app_context():
        shop.queue.sweep()
    assert len(shop.client.get("/jobs", headers=shop.headers()).json()["items"]) == 3
    identifier = old.rpartition("/")[2]
    like = identifier if "postgresql" in str(shop.settings) else identifier.replace("-", "")
    shop.sql(f"UPDATE jobs SET expires_at = '2020-01-01 00:00:00' WHERE id = '{like}'")
    with shop.app.app_context():
        shop.queue.sweep()
    left = {
        item["url"] for item in shop.client.get("/jobs", headers=shop.headers()).json()["items"]
    }
    assert left == {new, waiting}
    assert toys.DONE == [], "the service's own sweep ran too"


def test_the_metrics_count_jobs_by_kind_and_state(shop: Shop) -> None:
    shop.order("build")
    shop.order("refuse", number=422)
    shop.step()
    page = shop.client.get("/metrics").text
    assert 'jobs{kind="build",state="done"} 1.0' in page
    assert 'jobs{kind="refuse",state="waiting"} 1.0' in page


def test_progress_tells_the_run_that_it_is_lost(shop: Shop) -> None:
    shop.order("build")
    run = shop.queue.claim()
    run.progress(1, 2)
    run.lost.set()
    with pytest.raises(LostError):
        run.progress(2, 2)


def wait_until(holds: Any, patience: float = 10.0) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
