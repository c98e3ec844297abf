"""JSON and XML say the same, on every route, in and out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema

from glassware.api import Collection, Item
from glassware.api.schema import page_of
from glassware.media import json, problem, xml
from glassware.testing import assert_problem

from .notes import NOTES
from .worlds import World

AS_JSON, AS_XML = {"Accept": "application/json"}, {"Accept": "application/xml"}


def schema_of(resource: Any) -> Schema | None:
    """Return what tells the types of the resource's answer."""
    if issubclass(resource, Collection):
        return page_of(resource.schema)()
    shape = resource.schema if issubclass(resource, Item) else resource.answers
    return shape() if shape else None


def both(world: World, url: str, resource: Any) -> Any:
    """Get a URL in both media types, assert that they say the same, and return it."""
    in_json, in_xml = world.get(url, **AS_JSON), world.get(url, **AS_XML)
    assert in_json.status_code == in_xml.status_code, in_json.text
    assert in_json.headers["Content-Type"] == "application/json"
    assert in_xml.headers["Content-Type"].startswith("application/xml")
    document = json.loads(in_json.content)
    assert xml.loads(in_xml.content, schema_of(resource)) == document
    return document


def test_xml_says_what_json_says_of_any_note(
    one_world: World, record_testsuite_property: Any
) -> None:
    views = {name: view.view_class for name, view in one_world.app.view_functions.items()}
    compared = 0

    @settings(max_examples=100)
    @given(
        st.lists(NOTES, min_size=1, max_size=3),
        st.lists(st.sampled_from(FIELDS), min_size=1, unique=True),
    )
    def check(given_notes: list[dict[str, Any]], some: list[str]) -> None:
        nonlocal compared
        one_world.clear()
        made = [one_world.add(**note).json() for note in given_notes]
        for document in made:
            assert both(one_world, document["url"], views["note"]) == document
        listing = both(one_world, "/notes?sort=created_at", views["note_list"])
        assert listing == {"items": made, "next": None}
        sparse = both(one_world, f"/notes?limit=2&fields={','.join(some)}", views["note_list"])
        assert all(set(item) == set(some) for item in sparse["items"])
        compared += len(made) + len(listing["items"]) + len(sparse["items"])

    check()
    record_testsuite_property("notes compared in JSON and XML", compared)
    assert compared >= 150


FIELDS = ("url", "text", "label", "weight", "due", "done", "tags", "place", "extra")


@settings(max_examples=100)
@given(
    note=NOTES,
    root=st.sampled_from(["note", "response", "x"]),
    kind=st.sampled_from(["application/xml", "text/xml", "application/xml;charset=utf-8"]),
)
def test_a_note_posted_in_xml_is_the_note_posted_in_json(
    one_world: World, note: dict[str, Any], root: str, kind: str
) -> None:
    by_json = one_world.add(**note).json()
    headers = one_world.headers(**{"Content-Type": kind})
    response = one_world.client.post("/notes", headers=headers, content=xml.dumps(note, root))
    assert response.status_code == 201, response.text
    assert told(response.json()) == told(by_json)


def told(document: dict[str, Any]) -> dict[str, Any]:
    """Return what the caller said, without what the service made of its own."""
    return {name: document[name] for name in document if name not in ("url", "created_at")}


@settings(max_examples=100)
@given(
    field=st.sampled_from(["text", "due", "stars", "tags", "place", "nope", "a b", "i"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet="a<&]'\" \u00e9", max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("i"), inner),
        max_leaves=5,
    ),
)
def test_xml_problems_say_what_json_problems_say(one_world: World, field: str, value: Any) -> None:
    found = []
    for accept in ("application/problem+json", "application/problem+xml", "text/xml"):
        headers = one_world.headers(Accept=accept, **{"X-Request-Id": "the-same"})
        response = one_world.client.post("/notes", headers=headers, json={field: value})
        if response.status_code != 201:
            assert response.headers["Content-Type"] == (
                accept if "problem" in accept else "application/problem+xml"
            )
            found.append(problem.parse(response.headers["Content-Type"], response.content))
    assert all(document == found[0] for document in found)


def test_every_get_route_answers_alike_in_json_and_xml(world: World) -> None:
    note = world.add(text="a", tags=["b"]).json()["url"]
    ways = {"note": note, "problem_type": "/problems/stale"}
    skipped = {"abort", "unhandled", "openapi"}  # two answer with errors only, one in JSON only
    both(world, "/notes?text=nothing", world.app.view_functions["note_list"].view_class)
    seen = set()
    for rule in world.app.url_map.iter_rules():
        resource = world.app.view_functions[rule.endpoint].view_class
        if "GET" in rule.methods and rule.endpoint not in skipped and not resource.makes:
            both(world, ways.get(rule.endpoint, rule.rule), resource)
            seen.add(rule.endpoint)
    assert seen >= {"root", "live", "ready", "problem_list", "problem_type", "note", "note_list"}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/xml", "application/xml"),
        ("text/xml", "application/xml"),
        ("application/problem+xml", "application/xml"),
        ("application/problem+json", "application/json"),
        ("application/json;q=0.5, application/xml", "application/xml"),
        ("application/json;q=0, */*", "application/xml"),
        ("garbage", "application/json"),
        (",;q=,", "application/json"),
    ],
)
def test_the_media_type_asked_for_is_the_one_given(
    world: World, accept: str | None, kind: str
) -> None:
    response = world.raw("GET", b"/", {"Accept": accept} if accept else {})
    assert response.status_code == 200
    assert response.mimetype == kind


@pytest.mark.parametrize("accept", ["image/png", "text/csv", "application/json;q=0", "text/plain"])
def test_what_cannot_be_made_is_a_406_that_lists_what_can(world: World, accept: str) -> None:
    before = world.rows()
    for method in ("GET", "POST"):
        response = world.client.request(
            method, "/notes", headers=world.headers(Accept=accept), json={"text": "a"}
        )
        document = assert_problem(response, 406, "not-acceptable")
        assert {"application/json", "application/xml"} <= set(document["available"])
    assert world.rows() == before


def test_every_answer_varies_by_accept(world: World) -> None:
    note = world.add()
    url, headers = note.json()["url"], world.headers(**{"If-None-Match": note.headers["ETag"]})
    answers = [
        note,
        world.get(url),
        world.get("/notes"),
        world.get("/nope"),
        world.client.get(url, headers=headers),
        world.client.get("/", headers={"Host": "elsewhere.example"}),
        world.client.delete(url, headers=world.headers(**{"If-Match": "*"})),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 404, 304, 421, 204]
    assert all(answer.headers["Vary"] == "Accept" for answer in answers)


def test_head_has_the_headers_of_get(world: World) -> None:
    url = world.add().json()["url"]
    ignored = {"x-request-id"}
    for target in (url, "/notes", "/notes?limit=1&sort=-text", "/", "/problems", "/notes/x"):
        for accept in (AS_JSON, AS_XML):
            head = world.client.head(target, headers=world.headers(**accept))
            get = world.get(target, **accept)
            assert head.status_code == get.status_code
            assert head.content == b""
            assert {k: v for k, v in head.headers.items() if k not in ignored} == {
                k: v for k, v in get.headers.items() if k not in ignored
            }


def test_a_plain_resource_answers_by_its_schema(world: World) -> None:
    response = world.client.post("/sum", headers=world.headers(**AS_XML), json={"numbers": [1, 2]})
    assert (response.status_code, response.headers["X-Added"]) == (201, "yes")
    assert (
        b"<numbers><number>1</number><number>2</number></numbers><sum>3</sum>" in response.content
    )
    nothing = world.client.delete("/sum", headers=world.headers())
    assert (nothing.status_code, nothing.content) == (204, b"")


def test_a_response_of_the_resource_itself_goes_out_as_it_is(world: World) -> None:
    response = world.client.get("/bytes")
    assert response.content == b"\0\1\2"
    assert response.headers["Content-Type"] == "application/octet-stream"
