"""``glassware new``: the next service, made from the template of this checkout."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from jinja2 import Template


@click.command()
@click.argument("slug", required=False)
@click.option("--summary", help="What it does, in one line.")
@click.option("--resource", help="The thing it keeps, in the singular.")
@click.option(
    "--place",
    type=click.Choice(["suite", "alone"]),
    help="Whether it is a part of this suite, or a repository of its own.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where a repository of its own is made; default: beside this checkout.",
)
@click.option("--yes", "-y", is_flag=True, help="Take the defaults for what is not given.")
@click.pass_obj
def new(root: Path, /, into: Path | None, yes: bool, **given: str | None) -> None:
    """Make the next service from the template: the name, then three more questions.

    In the suite it joins by itself. What the template learns later, `manage.py template update`
    brings.
    """
    template = root / "cookiecutter-template"
    if not template.is_dir():
        raise click.ClickException(f"There is no template in {root}: run from a checkout.")
    if find_spec("cookiecutter") is None:
        raise click.ClickException("The template needs cookiecutter; `make setup` installs it.")
    asked = json.loads((template / "cookiecutter.json").read_text())
    answers = dict(answer(asked, given, yes))
    output = root if answers["place"] == "suite" else into or root.parent
    click.echo(render(template, output, answers))


def render(template: Path, output: Path, answers: Mapping[str, str]) -> str:
    """Make the service; return what the template says. Raises ClickException."""
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(output), str(template)]
    words = [f"{name}={text}" for name, text in answers.items()]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(reason(done))
    return done.stdout.strip("\n")


def answer(
    asked: Mapping[str, Any], given: Mapping[str, str | None], yes: bool
) -> Iterator[tuple[str, str]]:
    """Yield an answer to each question: the one given, or the default, or what is typed."""
    so_far: dict[str, str] = {}
    for name, default in asked.items():
        if name.startswith("_"):
            continue
        so_far[name] = given[name] or chosen(name, default, asked["__prompts__"], so_far, yes)
        yield name, so_far[name]


def chosen(
    name: str, default: Any, prompts: Mapping[str, Any], so_far: Mapping[str, str], yes: bool
) -> str:
    """Return the default, or what is typed in its place."""
    if isinstance(default, list):
        text, kind = prompts[name]["__prompt__"], click.Choice(default)
        suggested = default[0]
    else:
        text, kind = prompts[name], None
        suggested = Template(default).render(cookiecutter=so_far)
    if yes:
        return str(suggested)
    return str(click.prompt(text, default=suggested, type=kind))


def reason(done: subprocess.CompletedProcess[str]) -> str:
    """Return what speaks against it, without cookiecutter's account of how it learned of that."""
    said = done.stdout.partition("ERROR: ")[0].removeprefix("Error: ").strip()
    return said or done.stderr
