"""Directives whose content is read from the code, so that it cannot disagree with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from glassware.api.system import kinds, meaning
from glassware.cli.doctor.examine import PREFIX, symptoms
from glassware.config import CHASSIS
from glassware.config.option import render

SERVICES = Path(__file__).parents[2] / "services"


class Table(Directive):
    """A table with one row for each thing that the code declares."""

    heads: Sequence[str]

    def rows(self) -> Iterable[Sequence[str]]:
        raise AssertionError(f"{type(self).__name__} has no rows")

    def run(self) -> list[nodes.Node]:
        """Return the table, the first column as code."""
        group = nodes.tgroup("", cols=len(self.heads))
        group += [nodes.colspec("", colwidth=1) for _ in self.heads]
        head = nodes.row("", *(entry(nodes.Text(text)) for text in self.heads))
        group += nodes.thead("", head)
        group += nodes.tbody("", *(row(texts) for texts in self.rows()))
        return [nodes.table("", group)]


def row(texts: Sequence[str]) -> nodes.row:
    """Return a row whose first cell is code."""
    first, *others = texts
    return nodes.row(
        "", entry(nodes.literal(first, first)), *(entry(nodes.Text(text)) for text in others)
    )


def entry(content: nodes.Node) -> nodes.entry:
    """Return a cell."""
    return nodes.entry("", nodes.paragraph("", "", content))


class Problems(Table):
    """Every kind of problem, of the chassis and of the suite's services."""

    heads = ("/problems/", "Status", "Meaning", "What to do", "Service")

    def rows(self) -> Iterable[Sequence[str]]:
        """Yield slug, status, meaning and advice as the services tell them, and which do."""
        for path in SERVICES.glob("*/src/*/app.py"):
            import_module(f"{path.parent.name}.app")
        for kind in kinds():
            service = kind.__module__.partition(".")[0].removeprefix("glassware").strip("_")
            words = [text.replace("`", "") for text in (meaning(kind), kind.advice)]
            yield kind.slug, str(int(kind.status)), *words, service or "all"


class Symptoms(Table):
    """Every symptom that the doctor looks for in each service."""

    heads = ("Symptom", "What is wrong", "Why it matters, what to do")

    def rows(self) -> Iterable[Sequence[str]]:
        """Yield name, first line and the rest of the docstring."""
        for symptom in symptoms("glassware"):
            what, _, advice = (getdoc(symptom) or "").replace("`", "").partition("\n\n")
            name = symptom.__name__.removeprefix(PREFIX)
            yield name, what, " ".join(advice.split())


class Options(Table):
    """Every option that each service has."""

    heads = ("Option", "Type", "Default", "Meaning")

    def rows(self) -> Iterable[Sequence[str]]:
        """Yield name, type, default and help."""
        for option in CHASSIS:
            default = "from a file" if option.secret else render(option.default)
            yield option.name, option.type.__name__, default, option.help


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("problems", Problems)
    app.add_directive("options", Options)
    app.add_directive("symptoms", Symptoms)
    return {"parallel_read_safe": True}
