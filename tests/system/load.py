#!/usr/bin/env python3
"""load.py TOKEN PERSON [reads]: be several callers of the tasks service, until stdin ends.

Each request has a connection of its own and goes through the web server; one in five writes,
unless only reads are asked for.
Prints what became of them as JSON. Runs inside the machine, on Python's own library alone.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

CALLERS = 4
TIMEOUT = 30.0
HOST = "tasks.glassware.example"


@dataclass
class Tally:
    """What became of the requests of one caller."""

    sent: int = 0
    failed: int = 0
    longest: float = 0.0
    written: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


def ask(tally: Tally, method: str, path: str, headers: dict[str, str], body: str | None) -> None:
    """Send one request and note its outcome."""
    good = 201 if method == "POST" else 200
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=TIMEOUT)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        outcome = str(answer.status) if answer.status == good else f"{method} {answer.status}"
        ok = answer.status == good
    except (OSError, http.client.HTTPException) as error:
        outcome, ok = f"{method} {type(error).__name__}", False
    finally:
        connection.close()
    tally.sent += 1
    tally.failed += not ok
    tally.written += ok and method == "POST"
    tally.outcomes[outcome] += 1
    tally.longest = max(tally.longest, time.monotonic() - began)


def call(tally: Tally, stop: threading.Event, token: str, person: str, every: int) -> None:
    """Be one caller; one of ``every`` requests writes."""
    headers = {"Host": HOST, "Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    task = json.dumps({"title": "Written under load", "person": person})
    while not stop.is_set():
        writes = tally.sent % every == every - 1
        path = "/tasks" if writes else "/tasks?limit=5"
        ask(tally, "POST" if writes else "GET", path, headers, task if writes else None)


def main(token: str, person: str, kind: str = "") -> None:
    """Call until stdin ends; print the sum."""
    every = sys.maxsize if kind == "reads" else 5
    stop = threading.Event()
    tallies = [Tally() for _ in range(CALLERS)]
    threads = [
        threading.Thread(target=call, args=(tally, stop, token, person, every)) for tally in tallies
    ]
    for thread in threads:
        thread.start()
    print("calling", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    outcomes: Counter[str] = sum((tally.outcomes for tally in tallies), Counter())
    document = {
        "sent": sum(tally.sent for tally in tallies),
        "failed": sum(tally.failed for tally in tallies),
        "written": sum(tally.written for tally in tallies),
        "longest": max(tally.longest for tally in tallies),
        "outcomes": outcomes,
    }
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
