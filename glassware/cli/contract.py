"""``manage.py contract``: what a service needs of its neighbours, and they of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from glassware.cli.template import folder as home

if TYPE_CHECKING:
    from glassware.cli.manager import Manager
    from glassware.testing.recorder import Need

TIMEOUT = 600


@click.group(no_args_is_help=True)
def contract() -> None:
    """Contracts between services: kept by the consumer, proved on the provider's real app."""


@contract.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where a file is stale.")
def record(check: bool) -> None:
    """Run the tests marked `contract`, and write what the service needed to contracts/.

    Each file has the requests to one neighbour, and of the answers only what the code read.
    """
    folder = home() / "contracts"
    drafts = dict(files(observed()))
    kept = {path.name: path.read_text() for path in folder.glob("*.json")}
    stale = sorted(name for name in {*drafts, *kept} if drafts.get(name) != kept.get(name))
    if check and stale:
        raise click.ClickException(
            f"{', '.join(stale)} in {folder}: not what the tests need now. Type manage.py contract"
            " record, read the difference, and commit it."
        )
    for name in stale:
        if name in drafts:
            folder.mkdir(exist_ok=True)
            (folder / name).write_text(drafts[name])
        else:
            (folder / name).unlink()
    for name in sorted(drafts):
        click.echo(f"contracts/{name}: {'written' if name in stale else 'as it was'}.")


def observed() -> list[Need]:
    """Return what the service asked of its neighbours in its tests. Raises ClickException."""
    from glassware.testing.mesh import NEEDS

    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "contract"]
    with TemporaryDirectory() as drafts:
        done = subprocess.run(
            [*tests, str(home() / "tests")],
            cwd=home(),
            env={**os.environ, NEEDS: drafts},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        if done.returncode not in (0, 5):  # 5: no test is marked
            raise click.ClickException(f"The tests fail.\n{done.stdout[-4000:]}{done.stderr}")
        needs = [need for path in Path(drafts).iterdir() for need in json.loads(path.read_text())]
    return [need for need in needs if need["consumer"] == manager().service_name]


def files(needs: Iterable[Need]) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of the contract with each provider."""
    from glassware.testing.contracts import recorded

    by_provider: dict[str, list[Need]] = defaultdict(list)
    for need in recorded(needs):
        by_provider[need["provider"]].append(need)
    for provider, its in by_provider.items():
        yield f"{provider}.json", json.dumps(its, indent=2, ensure_ascii=False) + "\n"


@contract.command()
@click.argument("contracts", nargs=-1, type=click.Path(exists=True, path_type=Path))
def verify(contracts: tuple[Path, ...]) -> None:
    """Replay what consumers need of this service on its real app.

    CONTRACTS are files, or folders of services; by default every service beside this one.
    """
    from glassware.testing.contracts import Proof

    service = manager().service()
    found = sorted(path for each in contracts or [home().parent] for path in kept(each))
    needs = [need for path in found for need in json.loads(path.read_text())]
    ours = [need for need in needs if need["provider"] == service.name]
    with Proof(service) as proof:
        faults = [fault for need in ours for fault in proof.faults(need)]
    if faults:
        raise click.ClickException("\n  ".join(["A consumer would break:", *faults]))
    consumers = sorted({need["consumer"] for need in ours})
    click.echo(f"{len(ours)} requests hold, of {', '.join(consumers) or 'nobody'}.")


def kept(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return [*place.glob("contracts/*.json"), *place.glob("*/contracts/*.json")]


def manager() -> Manager:
    found: Manager = click.get_current_context().meta["glassware.manager"]
    return found
