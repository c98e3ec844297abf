#!/usr/bin/env python3
"""load.py TOKEN PERSON [reads]: be several callers of the tasks service, until stdin ends.

They go through the web server, which passes on each request by a connection of its own. One in five
writes, unless only reads are asked for.
Prints what became of them as JSON. Runs inside the machine, on Python's own library alone.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

CALLERS = 4
TIMEOUT = 30.0
#: Seconds between two requests of a caller: there must be time left for what is being tested.
PAUSE = 0.06
HOST = "tasks.glassware.example"
CERTIFICATE = "/etc/letsencrypt/live/glassware.example/fullchain.pem"
Connection = http.client.HTTPSConnection
Headers = dict[str, str]


@dataclass
class Tally:
    """What became of the requests of one caller; the longest: its seconds, outcome and time."""

    sent: int = 0
    failed: int = 0
    longest: tuple[float, str, str] = (0.0, "", "")
    written: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


def ask(
    tally: Tally, connection: Connection, method: str, path: str, headers: Headers, body: str | None
) -> None:
    """Send one request and note its outcome."""
    good = 201 if method == "POST" else 200
    began, moment = time.monotonic(), time.strftime("%T")
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        outcome = str(answer.status) if answer.status == good else f"{method} {answer.status}"
        ok = answer.status == good
    except (OSError, http.client.HTTPException) as error:
        outcome, ok = f"{method} {type(error).__name__}", False
        connection.close()
    tally.sent += 1
    tally.failed += not ok
    tally.written += ok and method == "POST"
    tally.outcomes[outcome] += 1
    tally.longest = max(tally.longest, (time.monotonic() - began, outcome, moment))


def call(tally: Tally, stop: threading.Event, token: str, person: str, every: int) -> None:
    """Be one caller; one of ``every`` requests writes."""
    trust = ssl.create_default_context(cafile=CERTIFICATE)
    connection = Connection(HOST, timeout=TIMEOUT, context=trust)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    task = json.dumps({"title": "Written under load", "person": person})
    while not stop.wait(PAUSE):
        writes = tally.sent % every == every - 1
        path = "/tasks" if writes else "/tasks?limit=5"
        method, body = ("POST", task) if writes else ("GET", None)
        ask(tally, connection, method, path, headers, body)


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
