"""The verbs of every service."""

from __future__ import annotations

import code
import json
import sys
from typing import TYPE_CHECKING, Any

import click
from flask import current_app
from flask.cli import with_appcontext

if TYPE_CHECKING:
    from glassware.cli.manager import Manager


def manager() -> Manager:
    """Return the manager that the present command belongs to."""
    found: Manager = click.get_current_context().meta["glassware.manager"]
    return found


@click.command()
@click.option("--host", help="Address to listen on; default: the option server.host.")
@click.option("--port", type=int, help="Port to listen on; default: the option server.port.")
@click.option("--workers", type=int, help="Worker processes; default: the option server.workers.")
@click.option("--debug", is_flag=True, help="Serve by Flask's reloading debug server instead.")
def runserver(host: str | None, port: int | None, workers: int | None, debug: bool) -> None:
    """Serve under the production server (gunicorn)."""
    from glassware.cli import server

    asked = {"server.host": host, "server.port": port, "server.workers": workers}
    overrides = {name: str(value) for name, value in asked.items() if value is not None}
    server.serve(manager(), overrides, debug=debug)


@click.command()
@with_appcontext
def shell() -> None:
    """Open a Python shell with the app, its models, its session and its siblings."""
    parts = current_app.extensions["glassware"]
    names: dict[str, Any] = {"app": current_app, "config": parts.config, **parts.siblings}
    if parts.database is not None:
        names["db"] = parts.database
        names |= {
            mapper.class_.__name__: mapper.class_
            for mapper in parts.database.Model.registry.mappers
        }
    code.interact(banner=f"At hand: {', '.join(sorted(names))}", local=names, exitmsg="")


@click.command()
@with_appcontext
def routes() -> None:
    """List every route with its methods and the policy of each."""
    rows = []
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule):
        resource: Any = vars(current_app.view_functions[rule.endpoint])["view_class"]
        for method in sorted(resource.methods):
            rows.append((rule.rule, method, str(resource.policy_for(method))))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for path, method, policy in rows:
        click.echo(f"{path:{widths[0]}}  {method:{widths[1]}}  {policy}")


@click.command()
@with_appcontext
def openapi() -> None:
    """Print the OpenAPI document of the service, as JSON."""
    document = current_app.extensions["glassware"].pages.document()
    click.echo(json.dumps(document, indent=2))


@click.group(no_args_is_help=True)
def config() -> None:
    """The configuration: what holds, and where it comes from."""


@config.command()
def show() -> None:
    """Print every option with its value and origin; secrets are masked."""
    rows = load_config().rows()
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, origin, _help in rows:
        click.echo(f"{name:{widths[0]}}  {value:{widths[1]}}  {origin}")


@config.command()
def sample() -> None:
    """Print an INI file with every option, its help and its default."""
    from glassware.config import sample as render

    click.echo(render(manager().service().declared()))


@config.command()
def secrets() -> None:
    """List the secrets that the service cannot do without, each a file of random text."""
    for option in manager().service().declared():
        if option.secret and option.default is None:
            click.echo(option.name)


def load_config() -> Any:
    from glassware.config import ConfigError

    try:
        return manager().service().configure(manager().overrides())
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@with_appcontext
def check() -> None:
    """Check that the service could serve: configuration, database, schema, keys."""
    ok, checks = current_app.extensions["glassware"].checks.ready()
    for name, status in checks.items():
        click.echo(f"{name:12} {status}")
    sys.exit(0 if ok else 1)
