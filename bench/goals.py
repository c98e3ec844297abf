"""What is to be reached, on any machine: ratios, and the figures of start-up and memory."""

from __future__ import annotations

from collections.abc import Mapping

#: Requests per second, ours : peer, at least; by kind of request and peer.
Ratios = Mapping[str, Mapping[str, float]]
WRITES = {"drf": 9, "fastapi": 8.5, "fastapi tuned": 1.1, "floor": 1 / 2.5}
RATIOS: Mapping[str, Ratios] = {
    "sqlite": {
        "one": {"drf": 11, "fastapi": 9, "fastapi tuned": 1.1, "floor": 1 / 3.5},
        "page": {"drf": 18, "fastapi": 13, "fastapi tuned": 1.2, "floor": 1 / 1.4},
        "xml": {"drf": 12},
        "post": WRITES,
        "put": WRITES,
        "token": {
            "drf": 4,
            "fastapi": 4,
            "fastapi tuned": 1.05,
            "floor": 1 / 1.9,
            "oidc-provider": 1,
        },
        "401": {"drf": 6, "fastapi": 3, "fastapi tuned": 1.5, "floor": 1 / 1.8},
        "health": {"drf": 5, "fastapi": 1.8, "fastapi tuned": 1.5, "floor": 1 / 1.8},
    },
    "postgresql": {
        "one": {"drf": 6, "fastapi tuned": 1},
        "page": {"drf": 15, "fastapi tuned": 1},
        "put": {"drf": 7, "fastapi tuned": 1},
    },
}
#: Milliseconds, at most, of 99 in 100 of our answers to 8 callers.
P99 = {"one": 1.5, "page": 3.0}

HELP, READY, AGAIN, MEMORY = 150.0, 1.0, 5.0, 150.0
