"""What a process tells of its work: lines to its output, spans to a collector."""

from __future__ import annotations

import logging

import click
from flask import Flask

from glassware.config import ConfigError
from glassware.observe import logging as house


def tell(app: Flask) -> None:
    """Log as the app's configuration says, with its secrets scrubbed. Raises ClickException."""
    here = app.extensions["glassware"]
    config = here.config
    house.configure(here.service, config["log.level"]).register(*config.secrets())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it greets at each look at the schema
    if endpoint := config["traces.endpoint"]:
        from glassware.observe import tracing

        try:
            tracing.export(here.service, here.release, endpoint)
        except ConfigError as error:
            raise click.ClickException(str(error)) from None
