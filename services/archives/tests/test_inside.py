"""Looking into archives over HTTP: by upload and by URL, for those who may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from glassware.testing import Issuer, Mesh, assert_problem
from glassware_archives.app import service
from glassware_archives.domain import Entry, Limits, Options, build

USER = "11111111-1111-4111-8111-111111111111"


class House:
    """The service by itself."""

    def __init__(self, mesh: Mesh, issuer: Issuer) -> None:
        self.mesh, self.issuer = mesh, issuer

    def call(self, method: str, path: str, scopes: str | None, **kwargs: Any) -> Any:
        headers = {} if scopes is None else self.issuer.headers(USER, scopes)
        with self.mesh.client("archives") as client:
            return client.request(method, path, headers=headers, **kwargs)

    def look(self, path: str, archive: bytes, **wish: Any) -> Any:
        form = {"manifest": json.dumps(wish)}
        files = {"archive": ("a.zip", archive)}
        return self.call("POST", path, "archives:write", data=form, files=files)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    issuer = Issuer()
    settings = {"archives.max_upload": "3000000"}
    with Mesh([service], transports={"auth": issuer.transport}, settings=settings) as mesh:
        yield House(mesh, issuer)


def zipped(told: bool = False, **files: bytes) -> bytes:
    entries = [Entry(name, [content]) for name, content in files.items()]
    return b"".join(build("zip", entries, Limits(), Options(manifest=told)))


def test_an_archive_is_listed_taken_from_and_compared(house: House) -> None:
    data = zipped(one=b"1", two=b"22")
    listed = house.look("/listings", data)
    assert listed.status_code == 200, listed.text
    assert [(each["name"], each["size"]) for each in listed.json()["entries"]] == [
        ("one", 1),
        ("two", 2),
    ]
    taken = house.look("/extracts", data, entry="two")
    assert (taken.status_code, taken.content) == (200, b"22")
    manifest = [{"name": "one", "size": 1}, {"name": "two"}]
    verdict = house.look("/verifications", data, entries=manifest).json()
    assert verdict == {"holds": True, "faults": []}
    verdict = house.look("/verifications", data, entries=[{"name": "one", "size": 2}]).json()
    assert verdict["holds"] is False
    assert len(verdict["faults"]) == 2


def test_an_archive_is_what_the_manifest_in_it_says(house: House) -> None:
    data = zipped(told=True, one=b"1", two=b"22")
    told = json.loads(house.look("/extracts", data, entry="_manifest.json").content)
    verdict = house.look("/verifications", data, entries=told["entries"]).json()
    assert verdict == {"holds": True, "faults": []}


def test_what_cannot_be_looked_into_is_a_problem(house: House) -> None:
    assert_problem(house.look("/listings", b"no archive"), 422)
    assert_problem(house.look("/listings", zipped(zeros=bytes(60_000_000))), 413)
    assert_problem(house.look("/extracts", zipped(one=b"1"), entry="two"), 404)
    assert_problem(house.look("/listings", bytes(3_000_001)), 413)
    inside = {"url": "http://127.0.0.1/a.zip"}
    refused = house.call("POST", "/listings", "archives:write", json=inside)
    assert_problem(refused, 422, "blocked-address")


TABLE = """
/archives             POST   401    403     422
/archives/{id}        GET    401    403     404
/archives/{id}/links  POST   401    403     404
/archives/{id}/file   GET    400    400     400
/listings             POST   401    403     422
/extracts             POST   401    403     422
/verifications        POST   401    403     422
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("path", "method", "nobody", "another", "may"), ROWS)
def test_each_caller_gets_what_the_table_says(
    house: House, path: str, method: str, nobody: str, another: str, may: str
) -> None:
    body = {"json": {}} if method == "POST" else {}
    scopes = {None: nobody, "tasks:read": another, "archives:write": may}
    for scope, status in scopes.items():
        answer = house.call(method, path.replace("{id}", USER), scope, **body)
        assert answer.status_code == int(status), answer.text


def test_the_table_knows_every_route() -> None:
    own = {resource.path.replace("<uuid:id>", "{id}") for resource in service.resources}
    assert {path for path, *_ in ROWS} == own
