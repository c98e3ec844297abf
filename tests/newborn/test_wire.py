"""What callers find: media types, problems, documents, listings, conditions, keys."""

from __future__ import annotations

import re

import pytest
from openapi_spec_validator import validate

from glassware.media import json, xml
from glassware.testing import assert_problem

from .conftest import Bear, Newborn

LANGUAGES = {"application/json": json, "application/xml": xml}


def read(newborn: Newborn, answer: object) -> object:
    from glassware_notes.schemas import NoteSchema

    if answer.headers["Content-Type"].startswith("application/xml"):
        return xml.loads(answer.content, NoteSchema())
    return json.loads(answer.content)


@pytest.mark.parametrize("sent", LANGUAGES)
@pytest.mark.parametrize("wanted", LANGUAGES)
def test_row_04_json_and_xml_in_and_out(newborn: Newborn, sent: str, wanted: str) -> None:
    body = LANGUAGES[sent].dumps({"name": "<&>"})
    headers = newborn.headers(**{"Content-Type": sent, "Accept": wanted})
    made = newborn.client.post("/notes", content=body, headers=headers)
    assert made.status_code == 201
    assert made.headers["Content-Type"].startswith(wanted)
    assert read(newborn, made)["name"] == "<&>"


@pytest.mark.parametrize("wanted", LANGUAGES)
def test_row_05_and_06_every_error_is_a_problem_in_both(newborn: Newborn, wanted: str) -> None:
    headers = newborn.headers(Accept=wanted)
    asked = newborn.client.request
    answers = {
        400: asked("GET", "/notes?nope=1", headers=headers),
        401: asked("GET", "/notes", headers={"Accept": wanted}),
        404: asked("GET", "/nowhere", headers=headers),
        405: asked("PUT", "/notes", headers=headers),
        415: asked("POST", "/notes", headers={**headers, "Content-Type": "text/csv"}, content=b"a"),
        422: asked("POST", "/notes", headers=headers, json={"name": 7}),
    }
    for status, answer in answers.items():
        assert_problem(answer, status)
        assert answer.headers["Content-Type"] == wanted.replace(
            "application/", "application/problem+"
        )


def test_row_07_an_openapi_document_and_a_page_of_it(newborn: Newborn) -> None:
    document = newborn.client.get("/openapi.json").json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert {"get", "post"} <= set(document["paths"]["/notes"])
    page = newborn.client.get("/docs", headers={"Accept": "text/html"})
    assert page.status_code == 200
    others = set(re.findall(r"https?://[^ ;]+", page.headers["Content-Security-Policy"]))
    assert others <= {"http://127.0.0.1:7001"}, "it speaks to nobody else but who logs one in"


def test_row_08_a_page_with_forms_for_browsers(newborn: Newborn) -> None:
    newborn.add("<script>")
    page = newborn.get("/notes", Accept="text/html")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<form" in page.text
    assert "&lt;script&gt;" in page.text


def test_row_14_rate_limits_say_so_in_advance(bear: Bear) -> None:
    newborn = bear(**{"limits.default": "3/minute", "limits.storage": "memory://"})
    for left in (2, 1, 0):
        assert f"r={left};" in newborn.get("/notes").headers["RateLimit"]
    refused = newborn.get("/notes")
    assert_problem(refused, 429)
    assert 0 < int(refused.headers["Retry-After"]) <= 60


def test_row_15_cors_for_those_who_are_named_and_headers_for_all(bear: Bear) -> None:
    newborn = bear(**{"server.cors_origins": "https://app.example.org"})
    allowed = "Access-Control-Allow-Origin"
    good = newborn.get("/notes", Origin="https://app.example.org")
    assert good.headers[allowed] == "https://app.example.org"
    assert allowed not in newborn.get("/notes", Origin="https://evil.example.org").headers
    assert good.headers["X-Content-Type-Options"] == "nosniff"


def test_row_17_pages_filters_and_sorts(newborn: Newborn) -> None:
    for name in "cab":
        newborn.add(name)
    page = newborn.get("/notes?limit=2&sort=-name").json()
    assert [item["name"] for item in page["items"]] == ["c", "b"]
    assert [item["name"] for item in newborn.get(page["next"]).json()["items"]] == ["a"]
    found = newborn.get("/notes?name[contains]=B").json()["items"]
    assert [item["name"] for item in found] == ["b"]
    assert_problem(newborn.get("/notes?sort=nope"), 400)


def test_row_18_sparse_fields(newborn: Newborn) -> None:
    newborn.add()
    assert newborn.get("/notes?fields=name").json()["items"] == [{"name": "a"}]


def test_row_19_conditions(newborn: Newborn) -> None:
    made = newborn.add()
    url, tag = made.headers["Location"], made.headers["ETag"]
    assert newborn.get(url, **{"If-None-Match": tag}).status_code == 304
    put = newborn.client.put
    assert_problem(put(url, json={"name": "b"}, headers=newborn.headers()), 428)
    good = put(url, json={"name": "b"}, headers=newborn.headers(**{"If-Match": tag}))
    assert good.status_code == 200
    stale = put(url, json={"name": "c"}, headers=newborn.headers(**{"If-Match": tag}))
    assert_problem(stale, 412)
    assert newborn.get(url).json()["name"] == "b"


def test_row_20_a_request_that_is_sent_twice_is_done_once(newborn: Newborn) -> None:
    first, second = (newborn.add(**{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(newborn.get("/notes").json()["items"]) == 1
