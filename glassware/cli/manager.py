"""``manage.py``: one entry point for everything that is done to a service."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import FlaskGroup

from glassware.cli import verbs
from glassware.config import ConfigError
from glassware.service import Service


class Manager(FlaskGroup):
    """The command line of the service at ``target`` (``"package.app:service"``).

    ``home`` is the ``__file__`` of a ``manage.py`` in a checkout: then the service runs in mode
    development, with its state below the checkout's ``var/``. The service's own commands are the
    ``Commands`` in its package's ``commands`` module.
    """

    def __init__(self, target: str, home: str | None = None) -> None:
        self.target = target
        self.home = Path(home).resolve().parent if home else None
        super().__init__(
            create_app=self.create_app,
            add_default_commands=False,
            add_version_option=False,
            set_debug_flag=False,
            load_dotenv=False,
            no_args_is_help=True,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
            help=f"Drive the {self.service_name} service.",
        )
        self.params.clear()  # Flask's options to find an app: ours is known
        for command in verbs.VERBS:
            self.add_command(command)
        self.add_command(verbs.routes, "urls")

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
        try:
            return self.service().create_app({**self.overrides(), **(overrides or {})})
        except ConfigError as error:
            raise click.ClickException(str(error)) from None

    def own_commands(self) -> dict[str, click.Command]:
        """Return the service's own groups of commands, none where it declares none."""
        path = Path(import_module(self.package).__file__ or "").with_name("commands.py")
        if not path.exists():
            return {}
        module = import_module(f"{self.package}.commands")
        found = [value for value in vars(module).values() if isinstance(value, click.Command)]
        return {command.name or "": command for command in found}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names without loading the app, so that ``--help`` is quick."""
        return sorted({*self.commands, *self.own_commands()} - {"urls"})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return self.commands.get(name) or self.own_commands().get(name)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        context = super().make_context(*args, **kwargs)
        context.meta["glassware.manager"] = self
        return context

    def run(self) -> None:
        """Run what the command line says and exit."""
        self.main(prog_name=Path(os.environ.get("GLASSWARE_PROG", "manage.py")).name)
