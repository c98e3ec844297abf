"""The services of the suite are what the template makes, but for what is their own."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from difflib import ndiff
from importlib import import_module
from pathlib import Path

import pytest
from cookiecutter.generate import generate_context, generate_files
from cookiecutter.prompt import prompt_for_config

from tests.template.checkout import ROOT, lists

TEMPLATE = ROOT / "cookiecutter-template"
SERVICES = sorted(path.parent for path in ROOT.glob("services/*/manage.py"))

#: The lines that a service may have, or have otherwise, in a file that is alike in every service.
OWN_LINES = {
    "setup.cfg": re.compile(
        r"version = [\d.]+|    [a-z0-9-]+(\[\w+\])? >= [\d.]+"
        # Commands that it lends to the command of the suite.
        r"|glassware\.commands =|    [a-z-]+ = glassware_[a-z]+\.commands:[a-z]+"
    ),
    "requirements.in": re.compile(r"#.*|[a-z0-9-]+.*"),
}
#: The files that a service may do without: one without a database has no migrations.
SPARED = {"archives": ("src/glassware_archives/migrations/*",)}


@pytest.fixture(params=SERVICES, ids=lambda path: path.name)
def service(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def rendered(service: Path, tmp_path: Path) -> Path:
    """The template by the service's answers, as cruft renders it."""
    answers = json.loads((service / ".cruft.json").read_text())["context"]["cookiecutter"]
    context = generate_context(str(TEMPLATE / "cookiecutter.json"), extra_context=answers)
    context["cookiecutter"] = prompt_for_config(context, no_input=True)
    context["cookiecutter"]["_commit"] = "any"
    return Path(generate_files(str(TEMPLATE), context, str(tmp_path)))


def generic(rendered: Path) -> Iterator[str]:
    """Yield the names of the files that are not left to the author."""
    settings = tomllib.loads((rendered / "pyproject.toml").read_text())["tool"]["cruft"]
    own = {found for pattern in settings["skip"] for found in rendered.glob(pattern)}
    for path in rendered.rglob("*"):
        if path.is_file() and not own & {path, *path.parents}:
            yield str(path.relative_to(rendered))


def test_its_generic_files_are_the_templates(service: Path, rendered: Path) -> None:
    names = set(generic(rendered))
    assert {"manage.py", "setup.cfg", "tox.ini", "pyproject.toml", "docs/conf.py"} <= names
    for name in names:
        if not any(Path(name).match(pattern) for pattern in SPARED.get(service.name, ())):
            here = (service / name).read_text().splitlines()
            there = (rendered / name).read_text().splitlines()
            other = [line for line in ndiff(there, here) if line[0] in "+-"]
            own = OWN_LINES.get(name)
            assert [line for line in other if not (own and own.fullmatch(line[2:]))] == [], name
            assert (service / name).stat().st_mode & 0o111 == (
                rendered / name
            ).stat().st_mode & 0o111


def test_it_still_is_what_it_was_asked_to_be(service: Path) -> None:
    answers = json.loads((service / ".cruft.json").read_text())["context"]["cookiecutter"]
    declared = import_module(f"glassware_{service.name}.app").service
    assert (answers["slug"], answers["summary"]) == (declared.name, declared.summary)


def test_every_list_of_the_services_names_them_all() -> None:
    for name, listed in lists(ROOT):
        assert listed == {service.name for service in SERVICES}, name
