"""``manage.py``: one entry point for everything that is done to a service."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from flask import Flask

    from glassware.service import Service

#: Where each verb is and what ``--help`` says of it, so that neither is loaded to list them.
VERBS = {
    "backup": ("glassware.cli.backup", "Write the database to FILE."),
    "check": ("glassware.cli.verbs", "Check that the service could serve."),
    "clean": ("glassware.cli.clean", "Delete what has expired."),
    "config": ("glassware.cli.verbs", "The configuration: what holds, and where it comes from."),
    "contract": (
        "glassware.cli.contract",
        "Contracts between services: kept by the consumer, proved on the provider's real app.",
    ),
    "db": ("glassware.cli.database", "Perform database migrations."),
    "doctor": ("glassware.cli.doctor", "Look for everything that is known to go wrong."),
    "jobs": ("glassware.cli.jobs", "The jobs of all callers: what waits, runs, and failed."),
    "openapi": ("glassware.cli.verbs", "Print the OpenAPI document of the service."),
    "restore": ("glassware.cli.backup", "Put the backup in FILE in the place of the database."),
    "routes": ("glassware.cli.verbs", "List every route with its methods and the policy of each."),
    "runserver": ("glassware.cli.verbs", "Serve under the production server (gunicorn)."),
    "shell": (
        "glassware.cli.verbs",
        "Open a Python shell with the app, its models, its session and its siblings.",
    ),
    "worker": ("glassware.cli.worker", "Do the service's jobs."),
    "template": ("glassware.cli.template", "The template that the service was made from."),
    "why": ("glassware.cli.why", "Tell the story of a request."),
}
#: Names of Flask-Script's that its users still type.
ALIASES = {"urls": "routes"}


class Manager(click.Group):
    """The command line of the service at ``target`` (``"package.app:service"``).

    ``home`` is the ``__file__`` of a ``manage.py`` in a checkout: then the service runs in mode
    development, with its state below the checkout's ``var/``. The service's own commands are the
    ``Commands`` in its package's ``commands`` module.
    """

    def __init__(self, target: str, home: str | None = None) -> None:
        self.target = target
        self.home = Path(home).resolve().parent if home else None
        super().__init__(
            no_args_is_help=True,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
            help=f"Drive the {self.service_name} service.",
        )

    @property
    def package(self) -> str:
        return self.target.partition(".")[0]

    @property
    def service_name(self) -> str:
        return self.package.removeprefix("glassware_")

    def service(self) -> Service:
        """Import and return the declared service."""
        module, _, name = self.target.partition(":")
        found: Service = getattr(import_module(module), name)
        return found

    def overrides(self) -> Mapping[str, str]:
        """Return the settings of a checkout; the environment may still change where state goes."""
        if self.home is None:
            return {}
        root = self.home.parents[1] if self.home.parent.name == "services" else self.home
        prefix = f"GLASSWARE_{self.service_name.upper()}__SERVICE__"
        state = Path(os.environ.get(prefix + "STATE_DIR", root / "var" / self.service_name))
        return {
            "service.mode": os.environ.get(prefix + "MODE", "development"),
            "service.state_dir": str(state),
            "service.secrets_dir": str(state / "secrets"),
        }

    def create_app(self, overrides: Mapping[str, str] | None = None) -> Flask:
        """Return the app as this command line configures it."""
        from glassware.config import ConfigError

        try:
            return self.service().create_app({**self.overrides(), **(overrides or {})})
        except ConfigError as error:
            raise click.ClickException(str(error)) from None

    def own_commands(self) -> dict[str, str]:
        """Return the names of the service's own groups of commands and what each is for."""
        package = find_spec(self.package)
        path = Path(package.origin if package and package.origin else "").with_name("commands.py")
        return dict(declared(path.read_text("utf-8"))) if path.exists() else {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*VERBS, *self.own_commands()})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        name = ALIASES.get(name, name)
        if name not in VERBS and name not in self.own_commands():
            return None
        module = import_module(VERBS[name][0] if name in VERBS else f"{self.package}.commands")
        commands = (each for each in vars(module).values() if isinstance(each, click.Command))
        return next(command for command in commands if command.name == name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        told = {**{name: text for name, (_, text) in VERBS.items()}, **self.own_commands()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(told.items()))

    def invoke(self, ctx: click.Context) -> Any:
        from flask.cli import ScriptInfo

        ctx.obj = ScriptInfo(create_app=self.create_app, set_debug_flag=False)
        ctx.meta["glassware.manager"] = self
        return super().invoke(ctx)

    def run(self) -> None:
        """Run what the command line says and exit."""
        self.main(prog_name=Path(os.environ.get("GLASSWARE_PROG", "manage.py")).name)


def declared(source: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the help of each group of commands in the source, which is not run."""
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(value=ast.Call(func=ast.Name(id="Commands"), args=arguments)):
                name, text = (ast.literal_eval(each) for each in arguments[:2])
                yield name, text
