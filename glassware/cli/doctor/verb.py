"""The verb, and how its findings are shown."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from glassware.cli.doctor.case import Case
from glassware.cli.doctor.examine import Finding, examine
from glassware.media import json

if TYPE_CHECKING:
    from glassware.cli.manager import Manager

WIDTH = 100


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Look for everything that is known to go wrong; exit with 1 where something is found."""
    context = click.get_current_context()
    manager: Manager = context.meta["glassware.manager"]
    program = context.find_root().info_name or "manage.py"
    findings, count = diagnosis(manager)
    named = [each._replace(advice=each.advice.replace("manage.py", program)) for each in findings]
    if as_json:
        document = {
            "service": manager.service_name,
            "healthy": not named,
            "looked_for": count,
            "findings": [each._asdict() for each in named],
        }
        click.echo(json.dumps(document).decode())
    else:
        click.echo("\n".join(page(manager.service_name, named, count)))
    sys.exit(1 if named else 0)


def diagnosis(manager: Manager) -> tuple[list[Finding], int]:
    try:
        service = manager.service()
    except Exception as error:  # whatever it is, the service does not start either
        what = "The code of the service cannot be loaded."
        advice = "Install what is missing, or the package anew."
        seen = [f"{type(error).__name__}: {error}"]
        return [Finding("the_service_cannot_be_loaded", what, seen, advice)], 1
    with Case(service, manager.overrides(), os.environ) as case:
        return examine(case)


def page(service: str, findings: list[Finding], count: int) -> Iterator[str]:
    """Yield the lines for a person."""
    for each in findings:
        yield click.style(f"! {each.what}", bold=True)
        yield from (f"    {line}" for line in each.seen)
        yield textwrap.fill(each.advice, WIDTH, initial_indent="  ", subsequent_indent="  ")
        yield ""
    found = f"{len(findings)} found" if findings else "none found: it is well"
    yield f"{service}: {count} symptoms looked for, {found}."
