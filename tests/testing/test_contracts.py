"""A contract holds for its provider, and breaks for whatever the consumer would miss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from glassware.testing import Issuer, Mesh
from glassware.testing.contracts import Proof, recorded
from glassware.testing.mesh import NEEDS
from glassware_auth.app import service as auth

from .mutants import answered, mutant, paths
from .people import NOBODY, PERSON, READ, consumer, provider

ROOT = Path(__file__).parents[2]
CONTRACTS = sorted(ROOT.glob("services/*/contracts/*.json"))


def all_needs() -> list[Any]:
    return [need for path in CONTRACTS for need in json.loads(path.read_text())]


@pytest.fixture(scope="module")
def needs(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What the consumer needs, by a test of its own."""
    folder, issuer = tmp_path_factory.mktemp("needs"), Issuer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(NEEDS, str(folder))
        with Mesh([consumer, provider], transports={"auth": issuer.transport}) as mesh:
            ann, url = issuer.headers(str(uuid4()), "people:read"), f"/cards/{uuid4()}"
            with mesh.client("cards") as client:
                card = client.get(url, headers=ann)
                assert client.get(url, headers=ann).json() == card.json()
                assert client.get(f"/cards/{NOBODY}", headers=ann).json() == {"name": "nobody"}
    assert card.json()["numbers"] == ["1", "2"]
    (file,) = folder.iterdir()
    return recorded(json.loads(file.read_text()))


def test_the_requests_are_noted_once_and_of_the_answers_what_was_read(needs: list[Any]) -> None:
    missing, person, note = needs
    assert [need["status"] for need in needs] == [404, 200, 201]
    assert {need["consumer"] for need in needs} == {"cards"}
    assert missing["request"] == "GET /persons/{nobody}"
    assert person["request"] == "GET /persons/{person}"
    assert set(person["fields"]) == READ
    assert person["fields"]["/note"] == "null"
    assert person["scopes"] == "people:read"
    assert (note["request"], note["fields"]) == (
        "POST /persons/{person}/notes?limit=1",
        {"/made": "boolean"},
    )
    assert note["body"] == '{"city":"Here","street":"/persons/{person}"}'


@pytest.fixture(scope="module")
def proof() -> Iterator[Proof]:
    with Proof(provider) as running:
        running.given.append(("people", somebody))
        yield running


def somebody(_app: object, _caller: str) -> dict[str, str]:
    return {"person": str(uuid4()), "nobody": str(NOBODY)}


def test_the_provider_keeps_what_it_is_asked_for(proof: Proof, needs: list[Any]) -> None:
    assert [fault for need in needs for fault in proof.faults(need)] == []


@pytest.mark.parametrize("path", sorted(set(paths(PERSON))))
def test_a_renamed_member_breaks_the_contract_if_it_is_read_and_only_then(
    proof: Proof, needs: list[Any], path: str
) -> None:
    person = needs[1]
    with mutant(proof.mesh.apps["people"], "/persons", path):
        faults = list(proof.faults(person))
    if path in READ:
        missed = sorted(each for each in READ if each == path or each.startswith(f"{path}/"))
        for media in ("application/json", "application/xml"):
            expected = [
                f"cards: GET /persons/{{person}} as {media}: there is no field {each}"
                for each in missed
            ]
            assert [fault for fault in faults if media in fault] == expected
    else:
        assert faults == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"status": 204}, "the answer is 200, not 204"),
        ({"media": "application/zip"}, "the answer is application/json, not application/zip"),
        ({"fields": {"/born": "string"}}, "the field /born is number, not string"),
        ({"scopes": None}, "the answer is 401, not 200"),
        ({"scopes": "other"}, "the answer is 403, not 200"),
        ({"request": "GET /persons/{somebody}"}, "contracts/given.py makes no {somebody}"),
    ],
)
def test_what_else_a_consumer_would_notice_is_told(
    proof: Proof, needs: list[Any], change: dict[str, Any], fault: str
) -> None:
    faults = list(proof.faults({**needs[1], **change}))
    assert faults
    assert fault in faults[0]


def test_a_null_proves_nothing_about_the_kind_of_a_field(proof: Proof, needs: list[Any]) -> None:
    fields = {"/note": "string", "/name": "null"}
    assert list(proof.faults({**needs[1], "fields": fields})) == []


@pytest.mark.parametrize("provider", sorted({path.stem for path in CONTRACTS}))
def test_every_contract_of_the_suite_holds(provider: str) -> None:
    mine = [need for need in all_needs() if need["provider"] == provider]
    assert {need["consumer"] for need in mine} >= {"archives"}
    with Proof(import_module(f"glassware_{provider}.app").service) as proof:
        assert [fault for need in mine for fault in proof.faults(need)] == []


def test_renaming_what_nobody_of_the_suite_reads_breaks_nothing_and_the_rest_breaks_all() -> None:
    """Each member of each answer of auth that a neighbour asks for, one at a time."""
    mine = [need for need in all_needs() if need["provider"] == "auth" and need["status"] == 200]
    killed, survived = set(), set()
    with Proof(auth) as proof:
        caller = str(uuid4())
        user = proof.given[0][1](proof.mesh.apps["auth"], caller)["user"]
        ann = proof.issuer.headers(caller, "users:read")
        urls = {"/.well-known": "/.well-known/jwks.json", "/users": f"/users/{user}"}
        for route, url in urls.items():
            for path in set(paths(answered(proof.mesh, "auth", url, **ann))):
                with mutant(proof.mesh.apps["auth"], route, path):
                    faults = [fault for need in mine for fault in proof.faults(need)]
                (killed if faults else survived).add((route, path))
    read = {
        ("/.well-known" if "jwks" in need["request"] else "/users", path)
        for need in mine
        for path in need["fields"]
    }
    assert len(read) == 8
    assert killed == read
    assert {"/url", "/id", "/email", "/name"} < {path for _, path in survived}
