"""What a caller may rely on."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from glassware.media import json, xml
from glassware.testing import Mesh, assert_problem
from glassware_{{ cookiecutter.slug }}.schemas import {{ cookiecutter.__class }}Schema

URL = "{{ cookiecutter.__path }}"
LANGUAGES = {"application/json": json.dumps, "application/xml": xml.dumps}


def read(answer: httpx2.Response) -> Any:
    """Return the document of an answer in either language."""
    if answer.headers["Content-Type"].startswith("application/xml"):
        return xml.loads(answer.content, schema={{ cookiecutter.__class }}Schema())
    return json.loads(answer.content)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_written_is_read_back_changed_and_removed(
    ann: httpx2.Client, language: str
) -> None:
    headers = {"Content-Type": language, "Accept": language}

    def body(name: str) -> bytes:
        return LANGUAGES[language]({"name": name})

    made = ann.post(URL, content=body("first <& second"), headers=headers)
    assert made.status_code == 201, made.text
    url = made.headers["Location"]
    found = ann.get(url, headers=headers)
    assert read(found) == read(made)
    assert read(found)["name"] == "first <& second"

    headers["If-Match"] = found.headers["ETag"]
    changed = ann.put(url, content=body("third"), headers=headers)
    assert read(changed)["name"] == "third"
    headers["If-Match"] = changed.headers["ETag"]
    assert ann.delete(url, headers=headers).status_code == 204
    assert_problem(ann.get(url, headers=headers), 404)


def test_everybody_sees_their_own_and_nobody_elses(ann: httpx2.Client, bob: httpx2.Client) -> None:
    url = ann.post(URL, json={"name": "only ann's"}).headers["Location"]
    assert url in [item["url"] for item in ann.get(URL).json()["items"]]
    assert bob.get(URL).json()["items"] == []
    assert_problem(bob.get(url), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_token_for_reading_changes_nothing(bob: httpx2.Client, method: str) -> None:
    url = URL if method == "POST" else f"{URL}/{uuid4()}"
    problem = assert_problem(bob.request(method, url), 403)
    assert problem["required"] == "scope {{ cookiecutter.slug }}:write"


@pytest.mark.parametrize("body", [{}, *({"name": name} for name in ("", "x" * 101, None, 7))])
def test_a_name_that_cannot_be_is_refused(ann: httpx2.Client, body: dict[str, object]) -> None:
    problem = assert_problem(ann.post(URL, json=body), 422)
    assert list(problem["errors"]) == ["name"]


def test_without_a_token_nothing_is_told(mesh: Mesh) -> None:
    assert_problem(mesh.client("{{ cookiecutter.slug }}").get(URL), 401)
