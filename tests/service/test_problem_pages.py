"""Every kind of problem, of the chassis and of each service, is explained at its own ``type``."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from html import unescape
from inspect import getdoc
from pathlib import Path
from typing import Any

import pytest

from glassware.api import errors
from glassware.api.system import ProblemTypeSchema
from glassware.media import json, problem, xml
from glassware.problems import Problem, tree
from glassware.testing import Mesh
from glassware_archives.app import service as archives
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks

ROOT = Path(__file__).parents[2]
SERVICES = {each.name: each for each in (auth, tasks, archives)}


def kinds() -> Iterator[tuple[str, type[Problem]]]:
    """Yield each kind with the services that have it."""
    for kind in (Problem, *tree()):
        package = kind.__module__.partition(".")[0]
        for name, service in SERVICES.items():
            if package in ("glassware", service.package):
                yield name, kind


KINDS = list(kinds())
pairs = pytest.mark.parametrize(
    ("name", "kind"), KINDS, ids=[f"{name}-{kind.slug}" for name, kind in KINDS]
)


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with Mesh(SERVICES.values(), settings={"limits.storage": ""}) as running:
        yield running


def answered(mesh: Mesh, name: str, kind: type[Problem], accept: str, **environ: str) -> str:
    """Return the type of a problem of the kind, as the service answers it."""
    error = kind.__new__(kind)
    Problem.__init__(error, "What was wrong.")
    app = mesh.apps[name]
    with app.test_request_context(
        "/somewhere",
        base_url="http://127.0.0.1:7000",
        headers={"Accept": accept},
        environ_overrides=environ,
    ):
        response = errors.render(error)
    media = "application/problem+json" if kind.media_type else response.headers["Content-Type"]
    document = problem.parse(media, response.data)
    assert document is not None
    return str(document["type"])


@pairs
def test_its_type_leads_to_a_page_that_says_what_it_means_and_what_to_do(
    mesh: Mesh, name: str, kind: type[Problem]
) -> None:
    urls = {answered(mesh, name, kind, f"application/{media}") for media in ("json", "xml")}
    (url,) = urls
    with mesh.client(name) as client:
        as_json, as_xml, as_html = (
            client.get(url, headers={"Accept": media})
            for media in ("application/json", "application/xml", "text/html")
        )
    about: Any = json.loads(as_json.content)
    assert about == xml.loads(as_xml.content, schema=ProblemTypeSchema())
    assert (about["url"], about["title"], about["status"]) == (url, kind.title, int(kind.status))
    for words in (about["meaning"], about["advice"]):
        assert len(words) > 20
        assert words.endswith(".")
    for words in (about["title"], about["meaning"], about["advice"]):
        assert words in unescape(as_html.text)


@pairs
def test_its_words_are_its_own(name: str, kind: type[Problem]) -> None:
    assert kind.__doc__, "a meaning that is inherited is the meaning of another kind"
    assert "advice" in vars(kind)
    assert "slug" in vars(kind)


def test_no_two_kinds_of_a_service_share_a_page() -> None:
    assert len({(name, kind.slug) for name, kind in KINDS}) == len(KINDS)


def test_behind_a_prefix_the_type_has_it_too(mesh: Mesh) -> None:
    url = answered(mesh, "tasks", Problem, "application/json", SCRIPT_NAME="/suite")
    assert url == "http://127.0.0.1:7000/suite/problems/problem"


def test_the_documentation_has_the_same_words() -> None:
    table = runpy.run_path(str(ROOT / "docs" / "_ext" / "generated.py"))["Problems"]
    rows = {(row[0], row[-1]): row for row in table.rows(table)}
    assert len(rows) == len({kind for _, kind in KINDS})
    for _, kind in KINDS:
        package = kind.__module__.partition(".")[0]
        row = rows[kind.slug, package.partition("_")[2] or "all"]
        assert row[1] == str(int(kind.status))
        assert row[2] == " ".join((getdoc(kind) or "").split("\n\n")[0].replace("`", "").split())
        assert row[3] == kind.advice.replace("`", "")
