"""The alerts and the dashboard speak of metrics that a service really exports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from glassware.testing import Issuer, Mesh
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks

ROOT = Path(__file__).parents[2]
#: What Prometheus itself adds to each series, and to its own metrics.
SCRAPED = {"job", "instance"}
OWN = {"up": set(SCRAPED)}
#: PromQL's own words, so that what is left are metrics and labels.
WORDS = {
    *("and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right"),
    *("sum", "min", "max", "count", "avg", "topk", "rate", "increase", "predict_linear"),
    *("histogram_quantile", "label_values"),
}
NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ROOT / "deploy/grafana/glassware.json").read_text())[
        "panels"
    ]
    return found


def expressions() -> Iterator[Any]:
    for rule in alerts():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for panel in panels():
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")


def spoken_of(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric that the expression names, with the labels that it selects by."""
    plain = re.sub(r"\[[^\]]*\]", "", expression)
    for name, selector in re.findall(rf"\b({NAME})\s*\{{([^}}]*)\}}", plain):
        yield name, set(re.findall(rf"({NAME})\s*[=!]", selector))
    rest = re.sub(r"\{[^}]*\}", "{}", plain)
    rest = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", rest)
    for name in re.findall(rf"(?<![\w$\"]){NAME}(?!\s*[({{\w])", rest):
        if name not in WORDS:
            yield name, set()


def grouped_by(expression: str) -> set[str]:
    groups = re.findall(r"\bby\s*\(([^)]*)\)", expression)
    return {label.strip() for group in groups for label in group.split(",")}


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """The labels of each series that the services export once they have been used."""
    found: dict[str, set[str]] = dict(OWN)
    issuer = Issuer()
    with Mesh([auth]) as mesh, Mesh([tasks], transports={"auth": issuer.transport}) as other:
        client = mesh.client("auth")
        client.post("/login", json={"email": "nobody@example.org", "password": "wrong wrong"})
        client.post("/oauth/token", data={"grant_type": "x"})
        caller = other.client("tasks", headers=issuer.headers(scope="tasks:read"))
        assert caller.get("/tasks").status_code == 200
        for each in (client, caller):
            for family in text_string_to_metric_families(each.get("/metrics").text):
                for sample in family.samples:
                    found.setdefault(sample.name, set(SCRAPED)).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", list(expressions()))
def test_what_an_expression_speaks_of_is_exported(
    expression: str, exported: dict[str, set[str]]
) -> None:
    require_exported(expression, exported)


def require_exported(expression: str, exported: dict[str, set[str]]) -> None:
    spoken = list(spoken_of(expression))
    assert spoken
    for name, labels in spoken:
        assert name in exported, f"nothing exports {name}"
        assert labels <= exported[name], f"{name} has only {sorted(exported[name])}"
    known = set().union(*(exported[name] for name, _ in spoken))
    assert grouped_by(expression) <= known


WRONG = {
    "a metric that nobody exports": "rate(http_requests_total[5m]) > 1",
    "the second metric": "up * nobody",
    "a label that it has not": 'http_requests_in_progress{service="x"}',
    "grouped by a label that it has not": "sum by (route) (up)",
}


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
def test_an_expression_that_speaks_of_nothing_would_be_found(
    wrong: str, exported: dict[str, set[str]]
) -> None:
    with pytest.raises(AssertionError):
        require_exported(wrong, exported)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_says_what_is_the_matter_and_has_its_page(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"].endswith(".")
    name = rule["alert"].removeprefix("Glassware")
    page = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
    assert rule["annotations"]["runbook_url"].endswith(f"/runbook/{page}.html")
    text = (ROOT / "docs" / "runbook" / f"{page}.rst").read_text()
    assert text.startswith(f"{rule['alert']}\n{'=' * len(rule['alert'])}\n")


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_a_summary_names_only_labels_that_the_expression_leaves(
    rule: dict[str, Any], exported: dict[str, set[str]]
) -> None:
    named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    left = grouped_by(rule["expr"]) or set().union(
        *(exported[name] for name, _ in spoken_of(rule["expr"]))
    )
    assert named <= left


def test_every_page_of_the_runbook_is_of_an_alert() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "runbook").glob("*.rst")} - {"index"}
    urls = {rule["annotations"]["runbook_url"] for rule in alerts()}
    assert pages == {Path(url).stem for url in urls}


def test_the_dashboard_is_whole() -> None:
    shown = panels()
    assert len({panel["id"] for panel in shown}) == len(shown) > 10
    for panel in shown:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["description"].endswith(".")
