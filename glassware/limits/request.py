"""Limits on what may come in, enforced by Flask itself."""

from __future__ import annotations

from flask import Flask

from glassware.config import Config


def restrict(app: Flask, config: Config) -> None:
    """Answer only for our own hosts (421), and read only bodies of a bounded size (413)."""
    app.config["TRUSTED_HOSTS"] = tuple(config["server.trusted_hosts"])
    app.config["MAX_CONTENT_LENGTH"] = config["server.max_body"]
