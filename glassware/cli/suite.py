"""``glassware``: the commands of the whole suite."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn

import click

from glassware.cli.new import new
from glassware.cli.processes import Suite, SuiteError
from glassware.cli.why import why

#: The entry points by which a service lends a group of its commands.
LENT = "glassware.commands"


class Lent(click.Group):
    """A group that has the commands of the services that are installed beside it, too."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *entry_points(group=LENT).names})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        lent = entry_points(group=LENT, name=name)
        return super().get_command(ctx, name) or next((each.load() for each in lent), None)


@click.group(
    cls=Lent, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The checkout; default: this folder.",
)
@click.pass_context
def main(context: click.Context, root: Path) -> None:
    """Run the whole suite, and look at it."""
    context.obj = root.resolve()


main.add_command(new)
main.add_command(why)


@main.command()
@click.pass_obj
def run(root: Path) -> None:
    """Start every service on this machine; Ctrl-C stops them.

    Databases are made and migrated first. Everything that is kept lies below var/.
    """
    from glassware.cli.tour import SETTINGS

    began = time.monotonic()
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)  # a shell ignores it for what it starts with "&"
    suite = suite_below(root, SETTINGS)
    try:
        click.echo("Bringing the databases to their newest migration ...")
        suite.prepare()
        click.echo(f"Starting {', '.join(suite.members)} ...")
        first = suite.start()
        click.echo(page(suite, first, time.monotonic() - began))
        suite.watch()
    except SuiteError as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        click.echo("\nStopping; requests in progress are finished ...")
    finally:
        suite.stop()
    click.echo("Stopped. The data stay in var/; `make run` brings everything back.")


@main.command()
@click.pass_obj
def tour(root: Path) -> None:
    """Walk through the main job, showing each request and answer.

    Uses the suite that runs, or starts one of its own on free ports and forgets it afterwards.
    """
    from glassware.cli import tour as script

    try:
        script.walk(root)
    except SuiteError as error:
        raise click.ClickException(str(error)) from None


def suite_below(root: Path, settings: Mapping[str, str]) -> Suite:
    try:
        return Suite(root, root / "var", settings=settings)
    except SuiteError as error:
        raise click.ClickException(str(error)) from None


def interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def page(suite: Suite, first: Mapping[str, Any], seconds: float) -> str:
    """Return what a newcomer sees: where things are, and what to try."""
    urls = {name: member.url for name, member in suite.members.items()}
    lines = ["", f"Glassware runs, {seconds:.1f} s after you asked.", ""]
    lines += [
        f"  {name:10} {url:24} {suite.members[name].service.summary}" for name, url in urls.items()
    ]
    lines += ["", f"  logs       {suite.log('*')}", ""]
    if first.get("password"):
        lines += [
            "The first administrator (the password is shown only now):",
            f"  email      {first['email']}",
            f"  password   {first['password']}",
            "",
        ]
    email = first.get("email", "<email>")
    password = first.get("password", "<the password shown at the first start>")
    lines += [
        "Try it, in another terminal:",
        f"  curl -s {urls['auth']}/login -H 'Content-Type: application/json' \\",
        f'    -d \'{{"email": "{email}", "password": "{password}"}}\'',
        "  TOKEN=<the access_token of the answer>",
        f'  curl -s {urls["tasks"]}/tasks -H "Authorization: Bearer $TOKEN"',
        f'  curl -s {urls["tasks"]}/tasks -H "Authorization: Bearer $TOKEN" \\',
        "    -H 'Accept: application/xml'",
        f"  curl -s {urls['tasks']}/tasks       # a problem that explains itself",
        "  make tour                                    # all of it, step by step",
        "",
        "Ctrl-C stops everything.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
