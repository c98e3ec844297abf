"""Reading, replacing, merging, removing one item, and who may."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.media import json, xml
from glassware.testing import assert_problem

from .notes import NOTES
from .worlds import World

MERGE = {"Content-Type": "application/merge-patch+json", "If-Match": "*"}


def writable(document: dict[str, Any]) -> dict[str, Any]:
    """Return what of an item a caller may send."""
    return {name: document[name] for name in document if name not in ("url", "created_at")}


def merged(target: Any, patch: Any) -> Any:
    """Merge as RFC 7396 section 2 writes it down."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@settings(max_examples=30)
@given(NOTES, NOTES)
def test_an_item_can_be_put_back_as_it_was_read(
    one_world: World, first: dict[str, Any], second: dict[str, Any]
) -> None:
    made = one_world.add(**first).json()
    url = made["url"]
    headers = one_world.headers(**{"If-Match": "*"})
    for kind, body in (
        ("application/json", json.dumps(writable(made))),
        ("application/xml", xml.dumps(writable(made))),
    ):
        changed = one_world.client.put(url, headers=headers, json=second)
        assert changed.status_code == 200, changed.text
        response = one_world.client.put(
            url, headers={**headers, "Content-Type": kind}, content=body
        )
        assert response.json() == made
        assert one_world.get(url).json() == made


def test_a_put_resets_what_it_leaves_out(world: World) -> None:
    made = world.add(label="a", stars=3, tags=["x"], extra={"a": "b"}, done=True).json()
    headers = world.headers(**{"If-Match": "*"})
    left = world.client.put(made["url"], headers=headers, json={"text": "b"}).json()
    assert writable(left) == {
        "text": "b",
        "label": None,
        "code": None,
        "stars": None,
        "weight": None,
        "due": None,
        "done": False,
        "tags": [],
        "place": None,
        "extra": {},
    }


#: Parts of valid notes, nulls, and members that no note has.
PART = st.tuples(NOTES, st.sets(st.sampled_from(["text", "place", "extra", "due", "done"]))).map(
    lambda pair: {name: value for name, value in pair[0].items() if name in pair[1]}
)
JUNK = st.dictionaries(
    st.sampled_from(["text", "label", "stars", "place", "tags", "nope", "url", "created_at"]),
    st.none() | st.integers(0, 9) | st.text("ab", max_size=3) | st.just({"name": None}),
    max_size=3,
)
FEW = st.text("ab", max_size=2)
EXTRAS = st.fixed_dictionaries({"extra": st.dictionaries(FEW, st.none() | FEW)})
PATCHES = PART | JUNK | EXTRAS | st.none() | st.lists(st.integers(), max_size=2)


def test_a_patch_does_what_a_put_of_the_merged_item_does(one_world: World) -> None:
    outcomes: Counter[int] = Counter()

    @settings(max_examples=100)
    @given(NOTES, PATCHES)
    def check(note: dict[str, Any], patch: Any) -> None:
        patched, put = one_world.add(**note).json(), one_world.add(**note).json()
        by_patch = one_world.client.patch(
            patched["url"], headers=one_world.headers(**MERGE), content=json.dumps(patch)
        )
        by_put = one_world.client.put(
            put["url"],
            headers=one_world.headers(**{**MERGE, "Content-Type": "application/json"}),
            content=json.dumps(merged(writable(put), patch)),
        )
        outcomes[by_put.status_code] += 1
        if by_put.status_code == 200:
            assert writable(by_patch.json()) == writable(by_put.json())
            assert one_world.get(patched["url"]).json() == by_patch.json()
        else:
            assert assert_problem(by_patch, 422)["errors"] == assert_problem(by_put, 422)["errors"]
            assert one_world.get(patched["url"]).json() == patched

    check()
    assert outcomes[200] > 5
    assert outcomes[422] > 5


def test_a_patch_in_xml_does_what_the_patch_in_json_does(world: World) -> None:
    made = world.add(label="a", stars=3, tags=["x"], place={"name": "p", "height": 1.5}).json()
    patch = {"label": None, "stars": 4, "tags": ["y", "z"], "place": {"height": None}}
    headers = world.headers(**{**MERGE, "Content-Type": "application/xml"})
    response = world.client.patch(made["url"], headers=headers, content=xml.dumps(patch))
    assert response.status_code == 200, response.text
    assert writable(response.json()) == writable(merged(made, patch)) | {
        "label": None,
        "place": {"name": "p", "height": None},
    }


def test_a_patch_in_plain_json_is_a_415_that_says_what_is_read(world: World) -> None:
    url = world.add().json()["url"]
    headers = world.headers(**{"If-Match": "*"})
    response = world.client.patch(url, headers=headers, json={"text": "b"})
    document = assert_problem(response, 415, "unsupported-media-type")
    read = ["application/merge-patch+json", "application/xml"]
    assert document["supported"] == read
    assert response.headers["Accept-Patch"] == ", ".join(read)


def test_what_is_removed_is_gone(world: World) -> None:
    url = world.add().json()["url"]
    response = world.client.delete(url, headers=world.headers(**{"If-Match": "*"}))
    assert (response.status_code, response.content) == (204, b"")
    assert_problem(world.get(url), 404, "not-found")
    assert world.rows()["notes"] == []


def test_sparse_fields_are_those_asked_for_in_the_order_of_the_schema(world: World) -> None:
    made = world.add(label="a").json()
    for some in ("text", "url,text", "text,url", "label,label"):
        response = world.get(f"{made['url']}?fields={some}")
        assert response.json() == {name: made[name] for name in made if name in some.split(",")}
    for none in ("", "nope", "text,", "text,nope", "owner_id", "text%00"):
        document = assert_problem(world.get(f"{made['url']}?fields={none}"), 400)
        assert document["type"].endswith("/problems/invalid-parameter")
        assert "fields" in document["errors"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_sparse_fields_are_for_reading(world: World, method: str) -> None:
    url = world.add().json()["url"] if method != "POST" else "/notes"
    before = world.rows()
    response = world.client.request(
        method, f"{url}?fields=text", headers=world.headers(**MERGE), content=b"{}"
    )
    assert_problem(response, 400, "unknown-parameter")
    assert world.rows() == before


def test_the_owner_and_an_admin_may_and_others_may_not_know(world: World) -> None:
    url = world.add().json()["url"]
    before = world.rows()
    everything = "notes:read notes:write notes:admin"
    cases = [
        (world.headers("notes:read"), 200),
        (world.headers("notes:read", world.other), 404),
        (world.headers("notes:read notes:admin", world.other), 200),
        (world.headers("notes:admin", world.other), 403),
        (world.headers(""), 403),
        ({}, 401),
        (world.issuer.headers(world.me, everything, aud="another"), 401),
        (world.issuer.headers(world.me, everything, exp=1), 401),
    ]
    for headers, status in cases:
        response = world.client.get(url, headers=headers)
        assert response.status_code == status
        if status != 200:
            assert_problem(response, status)
    hidden = world.client.get(url, headers=world.headers("notes:read", world.other))
    nowhere = str(uuid4())
    unknown = world.get(f"/notes/{nowhere}")
    for response, identifier in ((hidden, url.rpartition("/")[2]), (unknown, nowhere)):
        document = assert_problem(response, 404)
        assert document.pop("request_id")
        assert {n: str(v).replace(identifier, "-") for n, v in document.items()} == {
            "type": "http://127.0.0.1:7009/problems/not-found",
            "title": "Not found",
            "status": "404",
            "detail": "There is no note - here.",
            "instance": "/notes/-",
            "service": "notes",
        }
    for method in ("PUT", "PATCH", "DELETE"):
        for who, status in ((world.other, 404), (world.me, 403)):
            scopes = "notes:read" if who == world.me else everything.replace(" notes:admin", "")
            response = world.client.request(
                method, url, headers={**world.headers(scopes, who), **MERGE}, content=b"{}"
            )
            assert_problem(response, status)
    assert world.rows() == before


def test_a_token_that_does_not_hold_says_so_without_quoting_it(world: World) -> None:
    token = world.token[:-4] + "AAAA"
    response = world.client.get("/notes", headers={"Authorization": f"Bearer {token}"})
    assert_problem(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert token not in response.text
    assert token not in world.log.take()
    missing = world.client.get("/notes")
    assert missing.headers["WWW-Authenticate"] == "Bearer"
    assert_problem(missing, 401)
    lacking = world.client.get("/notes", headers=world.headers("notes:write"))
    assert lacking.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    assert assert_problem(lacking, 403)["required"] == "scope notes:read"


def test_a_public_resource_does_not_look_at_credentials(world: World) -> None:
    for value in ("garbage", "Bearer garbage", f"Bearer {world.token}"):
        response = world.client.get("/", headers={"Authorization": value})
        assert response.status_code == 200
