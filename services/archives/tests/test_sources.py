"""Entries that come with the request as files, or from folders of the machine."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glassware.testing import Issuer, Mesh, assert_problem
from glassware_archives.app import service

USER = "11111111-1111-4111-8111-111111111111"


class House:
    """The service by itself, and callers with the scopes that a test gives them."""

    def __init__(self, mesh: Mesh, issuer: Issuer) -> None:
        self.mesh, self.issuer = mesh, issuer

    def post(self, scopes: str = "archives:write", **kwargs: Any) -> Any:
        with self.mesh.client("archives") as client:
            headers = self.issuer.headers(USER, scopes)
            return client.post("/archives", headers=headers, **kwargs)

    def upload(self, manifest: object, **files: bytes) -> Any:
        parts = {name: (name, content) for name, content in files.items()}
        return self.post(data={"manifest": json.dumps(manifest)}, files=parts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    (folder / "a.txt").write_bytes(b"exported")
    return folder


@pytest.fixture(scope="module")
def house(folder: Path) -> Iterator[House]:
    issuer = Issuer()
    settings = {"archives.exports": f"reports={folder}", "archives.max_upload": "3000000"}
    with Mesh([service], transports={"auth": issuer.transport}, settings=settings) as mesh:
        yield House(mesh, issuer)


def packed(answer: Any) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_files_that_come_with_the_request_are_entries(house: House) -> None:
    large = bytes(range(256)) * 8000
    entries = [
        {"name": "a/large.bin", "part": "one"},
        {"name": "b.txt", "text": "b"},
        {"name": "c", "part": "two"},
        {"name": "again", "part": "two"},
    ]
    answer = house.upload({"entries": entries}, one=large, two=b"c")
    assert packed(answer) == {"a/large.bin": large, "b.txt": b"b", "c": b"c", "again": b"c"}


@pytest.mark.parametrize(
    ("manifest", "status", "slug"),
    [
        ({"entries": [{"name": "x", "part": "none"}]}, 422, "invalid"),
        ({"entries": [{"name": "../x", "part": "one"}]}, 422, "invalid"),
        ({"entries": [{"name": "x", "part": "one", "text": "x"}]}, 422, "invalid"),
        ({"entries": [{"name": "x", "part": "one", "size": 7}]}, 422, "invalid"),
        ({"entries": []}, 422, "invalid"),
        ({}, 422, "invalid"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    house: House, manifest: object, status: int, slug: str
) -> None:
    assert_problem(house.upload(manifest, one=b"1"), status, slug)


def test_a_part_without_a_form_is_refused(house: House) -> None:
    assert_problem(house.post(json={"entries": [{"name": "x", "part": "one"}]}), 422)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing of a form",
        b'--b\r\nContent-Disposition: form-data; name="manifest"\r\n\r\n{"entries": [',
        b'--b\r\nContent-Disposition: form-data; name="manifest"\r\n\r\n[]\r\n--b--\r\n',
        b'--b\r\nContent-Disposition: form-data; name="manifest"\r\n\r\n\xff\r\n--b--\r\n',
    ],
)
def test_a_form_that_is_broken_or_has_no_manifest_is_refused(house: House, body: bytes) -> None:
    issuer = house.issuer.headers(USER, "archives:write")
    headers = {**issuer, "Content-Type": "multipart/form-data; boundary=b"}
    with house.mesh.client("archives") as client:
        answer = client.post("/archives", content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert_problem(answer, answer.status_code)


def test_more_than_may_be_uploaded_is_refused_also_when_its_length_is_not_told(
    house: House,
) -> None:
    manifest = {"entries": [{"name": "x", "part": "one"}]}
    problem = assert_problem(house.upload(manifest, one=bytes(3_000_001)), 413)
    assert problem["limit"] == 3_000_000


@pytest.mark.parametrize(
    ("scopes", "status"), [("archives:write exports:read", 200), ("archives:write", 403)]
)
def test_folders_of_the_machine_are_for_those_who_may(
    house: House, scopes: str, status: int
) -> None:
    entries = [{"name": "x", "export": "reports", "path": "/a.txt"}]
    answer = house.post(scopes, json={"entries": entries})
    if status == 200:
        assert packed(answer) == {"x": b"exported"}
    else:
        assert assert_problem(answer, status)["required"] == "scope exports:read"
    with house.mesh.client("archives") as client:
        headers = {**house.issuer.headers(USER, scopes), "Prefer": "respond-async"}
        later = client.post("/archives", json={"entries": entries}, headers=headers)
    assert later.status_code == (202 if status == 200 else 403)
