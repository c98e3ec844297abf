"""Calls made at the same time, for what must hold whoever comes first."""

from __future__ import annotations

import threading
from typing import Any


def at_once(*calls: Any) -> list[int]:
    """Make the calls at the same time, each in a thread; return the status codes, sorted."""
    barrier = threading.Barrier(len(calls))
    statuses: list[int] = []

    def run(call: Any) -> None:
        barrier.wait(5)
        statuses.append(call().status_code)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return sorted(statuses)
