"""The error of every configuration that cannot be used."""

from __future__ import annotations


class ConfigError(Exception):
    """The configuration cannot be used.

    ``complaints`` holds one line for each thing that is wrong: which layer, which option, and what
    to do. They are all reported at once, so that an operator does not find them one restart at a
    time. No complaint ever quotes the value of a secret.
    """

    def __init__(self, *complaints: str) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = complaints
