"""``manage.py template``: what the template has learned since the service was made."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

BIRTH = ".cruft.json"


@click.group(no_args_is_help=True)
def template() -> None:
    """The template that the service was made from.

    Compare with it, follow it.

    It speaks of the files that are alike in every service. What is the author's stands in
    pyproject.toml, under [tool.cruft].
    """


@template.command()
def diff() -> None:
    """Show how the service differs from the newest template: - the service, + the template."""
    cruft("diff", "--checkout", "HEAD")


@template.command()
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change an answer that was given when the service was made.",
)
def update(changes: tuple[str, ...]) -> None:
    """Merge what the template has learned; local changes stay, a conflict is marked as git does."""
    birth = born()
    known = dict(birth["context"]["cookiecutter"])
    given = dict(change(each, known) for each in changes)
    if birth["commit"] is None:
        raise click.ClickException(remember(birth))
    cruft("update", "--skip-apply-ask", "--variables-to-update", json.dumps(given))


def change(text: str, known: dict[str, Any]) -> tuple[str, str]:
    """Return the answer in ``KEY=VALUE``. Raises ClickException for one that cannot change."""
    name, _, value = text.partition("=")
    changeable = sorted(key for key in known if key != "slug" and not key.startswith("_"))
    if name not in changeable or not value:
        raise click.ClickException(f"--set {text}: give one of {', '.join(changeable)} a value.")
    return name, value


def remember(birth: dict[str, Any]) -> str:
    """Write down as of which commit the service is; return what to do then.

    A service that was made before its template was committed is as of the commit that brought it.
    """
    path = folder() / BIRTH
    command = ["git", "log", "-1", "--format=%H", "--", BIRTH]
    found = subprocess.run(command, cwd=folder(), capture_output=True, text=True, check=False)
    commit = found.stdout.strip()
    if not commit:
        return "The service is in no commit yet: commit it, then try again."
    path.write_text(json.dumps({**birth, "commit": commit}, indent=2, ensure_ascii=False) + "\n")
    return f"{path} says now that the service is as of {commit[:12]}: commit it, then try again."


def born() -> dict[str, Any]:
    """Return how the service was made. Raises ClickException where that is not known."""
    path = folder() / BIRTH
    if not path.exists():
        raise click.ClickException(f"There is no {path}: the service is not of the template.")
    birth: dict[str, Any] = json.loads(path.read_text())
    return birth


def folder() -> Path:
    """Return the folder of the service's checkout. Raises ClickException."""
    home: Path | None = click.get_current_context().meta["glassware.manager"].home
    if home is None:
        raise click.ClickException("An installed service has none of this; go to its checkout.")
    return home


def cruft(*words: str) -> None:
    """Run cruft on the service, and exit as it does.

    In the service's folder, which the address of the template may be relative to.
    """
    born()
    if find_spec("cruft") is None:
        raise click.ClickException("The template needs cruft; `make setup` installs it.")
    done = subprocess.run([sys.executable, "-m", "cruft", *words], cwd=folder(), check=False)
    sys.exit(done.returncode)
