"""One key, many requests at once: one task."""

from __future__ import annotations

import threading
from uuid import uuid4

import httpx2

from tests.e2e.worlds import Person, World

AT_ONCE = 20


def test_of_twenty_requests_with_one_key_one_makes_a_task(world: World, ann: Person) -> None:
    title, answers = f"Once {uuid4().hex}", []
    task = {"title": title, "person": ann.url}
    headers = {**ann.headers, "Idempotency-Key": uuid4().hex}
    gate = threading.Barrier(AT_ONCE)

    def ask() -> None:
        with world.http("tasks") as client:
            gate.wait(10)
            answers.append(client.post("/tasks", json=task, headers=headers))

    threads = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == AT_ONCE
    made = [answer for answer in answers if answer.status_code == 201]
    running = [answer for answer in answers if answer.status_code == 409]
    assert len(made) + len(running) == AT_ONCE, {answer.status_code for answer in answers}
    assert all(answer.json()["type"].endswith("/still-running") for answer in running)
    assert len({answer.content for answer in made}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in made) == 1
    assert listed(world, ann, title) == [made[0].json()["url"]]


def test_a_task_is_made_once_however_often_it_is_asked_for(world: World, ann: Person) -> None:
    title = f"Again {uuid4().hex}"
    task = {"title": title, "person": ann.url}
    headers = {**ann.headers, "Idempotency-Key": uuid4().hex}
    with world.http("tasks") as client:
        answers = [client.post("/tasks", json=task, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert listed(world, ann, title) == [answers[2].json()["url"]]


def listed(world: World, who: Person, title: str) -> list[str]:
    """Return the URLs of the tasks with the title."""
    with world.http("tasks") as client:
        query = httpx2.QueryParams({"title[contains]": title})
        found = client.get(f"/tasks?{query}", headers=who.headers).json()["items"]
    return [task["url"] for task in found]
