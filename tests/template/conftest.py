"""One copy of the suite, and a service for each kind of answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.template.checkout import Checkout, installed

#: A name before all others', an uneven plural, letters that are not ASCII; and all at its longest.
ODD = {
    "slug": "a" * 20,
    "resource": "time_entry",
    "summary": "Café hours & days: who's worked (how long), à la carte, #1's; 5 + 2 @ x = y/z",
}
LONG = {"slug": "b" * 20, "resource": "correspondence_box", "summary": "y" * 79}


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def told(checkout: Checkout) -> str:
    """Make a service as a person does, and return what the terminal shows."""
    return checkout.run(checkout.suite, "glassware", "new", input="\n\n\n\n").stdout


@pytest.fixture(scope="session")
def births(checkout: Checkout, told: str) -> Mapping[str, Path]:
    """The services, each by a way of asking for it: typed, by cookiecutter alone, by options."""
    words = [f"{name}={answer}" for name, answer in ODD.items()]
    checkout.python(
        checkout.suite, "-m", "cookiecutter", "--no-input", "cookiecutter-template", *words
    )
    checkout.new("notes", "--place", "alone")
    options = [f"--{name}={text}" for name, text in LONG.items() if name != "slug"]
    checkout.new(LONG["slug"], "--place", "alone", *options)
    made = {
        "plain suite": checkout.suite / "services" / "notes",
        "odd suite": checkout.suite / "services" / ODD["slug"],
        "plain alone": checkout.folder / "notes",
        "long alone": checkout.folder / LONG["slug"],
    }
    return {kind: installed(checkout, service) for kind, service in made.items()}


@pytest.fixture(params=["plain suite", "odd suite", "plain alone", "long alone"])
def born(request: pytest.FixtureRequest, births: Mapping[str, Path]) -> Path:
    """Each of the services."""
    return births[request.param]
