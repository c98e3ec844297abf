"""A logger whose lines can be read back."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from glassware.observe.logging import Handler, JsonFormatter
from glassware.observe.scrub import Scrubber


class Log(logging.Logger):
    """A logger of its own, outside of the process's tree of loggers."""

    def __init__(self) -> None:
        super().__init__("test", logging.DEBUG)
        self.stream = io.StringIO()
        self.scrubber = Scrubber()
        self.addHandler(Handler(self.stream, JsonFormatter("tasks", self.scrubber)))

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture(scope="session")
def new_log() -> type[Log]:
    """For properties, which need a fresh log for each example."""
    return Log
