"""Every XML answer is one that its XML Schema accepts, by the library that xmllint is made of."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from functools import cache
from json import dumps
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lxml import etree
from marshmallow import Schema, fields

from glassware.media import xml
from glassware.openapi.schema import IN, OUT, Converter
from glassware.openapi.xsd import xsd
from tests.media.test_round_trip import documents, random_schemas

from .conftest import PASSWORD, Suite
from .test_conformance import FAULT, furnish, items, served

NAMES = ("auth", "tasks", "archives")
#: They take what no generator finds: a password, a link out of a mail.
BY_HAND = {"GET /activation", "POST /activation", "POST /login"}
#: They take a file in a form, and a job that was cancelled.
PREPARED = {"POST /listings", "POST /verifications", "POST /jobs/{id}/retries"}


class Shelf:
    """The XML Schemas of a service, as it serves them."""

    def __init__(self, suite: Suite, name: str) -> None:
        self.suite, self.name = suite, name
        self.document = suite.document(name)
        self.schema = cache(self.read)

    def read(self, kind: str) -> etree.XMLSchema:
        answer = self.suite.call(self.name, "GET", f"/schemas/{kind}.xsd")
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("application/xml")
        return etree.XMLSchema(etree.fromstring(answer.content))

    def kind(self, operation: Any, status: int) -> str:
        """Return the schema that the document names for an answer in XML."""
        responses = self.document["paths"][operation.path][operation.method]["responses"]
        node = responses[str(status)]["content"]["application/xml"]["schema"]
        return str(node["$ref"].rpartition("/")[2])

    def check(self, operation: Any, response: Any) -> None:
        """Assert that the answer's schema accepts it."""
        media = response.headers.get("content-type", [""])[0].partition(";")[0]
        if media == "application/problem+xml":
            kind = "Problem"
        elif media == "application/xml" and "/schemas/" not in operation.path:
            kind = self.kind(operation, response.status_code)
        else:
            return
        schema = self.schema(kind)
        assert schema.validate(etree.fromstring(response.content)), (
            f"{operation.label} {kind}: {schema.error_log}\n{response.content!r}"
        )


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_in_xml_is_valid_by_its_schema(suite: Suite, name: str) -> None:
    shelf = Shelf(suite, name)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", served(suite.apps[name]))
    lacking = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        promised = operation.definition.raw["responses"]
        answers = [each for status, each in promised.items() if status.startswith("2")]
        in_xml = any("application/xml" in each.get("content", {}) for each in answers)
        statuses = ask(suite, shelf, operation)
        assert max(statuses) >= 400, "there is a problem in it too"
        if in_xml and operation.path != FAULT and min(statuses) >= 400:
            lacking.add(operation.label)
    assert lacking <= BY_HAND | PREPARED, "no answer but problems was looked at"


def test_what_takes_a_secret_is_valid_too(suite: Suite) -> None:
    shelf, in_xml = Shelf(suite, "auth"), {"Accept": "application/xml"}
    account = {"email": "xsd@example.org", "password": PASSWORD}
    made = suite.call("auth", "POST", "/users", json={**account, "name": "Ann"}).json()
    reached = set()
    for method, url in (
        ("GET", made["activation"]),
        ("POST", made["activation"]),
        ("POST", "/login"),
    ):
        body = {"json": account} if url == "/login" else {}
        answer = suite.call("auth", method, url, headers=in_xml, **body)
        assert answer.status_code == 200, answer.text
        schema = shelf.schema("Grant" if body else "Activation")
        assert schema.validate(etree.fromstring(answer.content)), schema.error_log
        reached.add(f"{method} {httpx2.URL(url).path}")
    assert reached == BY_HAND


def test_what_takes_a_file_or_a_cancelled_job_is_valid_too(suite: Suite) -> None:
    shelf, in_xml = Shelf(suite, "archives"), {**suite.headers, "Accept": "application/xml"}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a/b.txt", "text")
    body = {"entries": [{"name": "a", "text": "a"}]}
    wish = {**suite.headers, "Prefer": "respond-async", "Cache-Control": "no-cache"}
    job = suite.call("archives", "POST", "/archives", headers=wish, json=body).json()["url"]
    assert suite.call("archives", "DELETE", job, headers=suite.headers).status_code == 204
    form = {"files": {"archive": ("a.zip", archive.getvalue())}}
    for path, kind, more in (
        ("/listings", "Listing", form),
        (
            "/verifications",
            "Verdict",
            {**form, "data": {"manifest": dumps({"entries": [{"name": "a"}]})}},
        ),
        (f"{job}/retries", "Job", {}),
    ):
        answer = suite.call("archives", "POST", path, headers=in_xml, **more)
        assert answer.status_code in (200, 202), answer.text
        schema = shelf.schema(kind)
        assert schema.validate(etree.fromstring(answer.content)), schema.error_log


def ask(suite: Suite, shelf: Shelf, operation: Any) -> set[int]:
    """Send what is allowed and what is not, check each answer in XML, return the statuses."""
    known, statuses = items(suite), set()

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(), st.booleans())
    def run(case: Any, real: bool) -> None:
        if real:
            furnish(suite, case, known)
            if isinstance(case.body, dict) and "scopes" in case.body:
                case.body["scopes"] = []  # else one must have them oneself
        response = case.call(headers={**suite.headers, "Accept": "application/xml"})
        shelf.check(operation, response)
        statuses.add(response.status_code)

    run()
    stray = {"headers": {"Accept": "application/xml"}, "params": {"stray": "1"}}
    path = re.sub("{.*?}", "01994a2b-7c3d-7e4f-8a5b-6c7d8e9f0a1b", operation.path)
    answer = suite.call(shelf.name, operation.method.upper(), path, **stray)
    assert shelf.schema("Problem").validate(etree.fromstring(answer.content)), answer.text
    return statuses | {answer.status_code}


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_listed_and_is_a_schema(suite: Suite, name: str) -> None:
    shelf = Shelf(suite, name)
    listed = suite.call(name, "GET", "/schemas").json()["items"]
    assert [each["name"] for each in listed] == list(shelf.document["components"]["schemas"])
    for each in listed:
        assert each["url"].endswith(f"/schemas/{each['name']}.xsd")
        assert shelf.schema(each["name"]) is not None
    for wrong in ("Nothing.xsd", listed[0]["name"], ".xsd"):
        assert suite.call(name, "GET", f"/schemas/{wrong}").status_code == 404
    assert "/schemas" in shelf.document["info"]["description"]


def described(schema: Schema, way: Any = OUT) -> etree.XMLSchema:
    converter = Converter("http://127.0.0.1:7000")
    name = converter.refer(schema, way)["$ref"].rpartition("/")[2]
    return etree.XMLSchema(etree.fromstring(xsd(name, converter.components).encode()))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_a_schema_gives_out_is_accepted(data: Any) -> None:
    """For any schema, and any document of it."""
    schema = data.draw(random_schemas())
    judge = described(schema)
    for _ in range(3):
        body = xml.dumps(data.draw(documents(schema)))
        assert judge.validate(etree.fromstring(body)), f"{judge.error_log}\n{body!r}"


@pytest.mark.parametrize("name", ["$ref", "type", "properties", "anyOf"])
def test_a_field_may_be_named_as_the_words_of_a_schema_are(name: str) -> None:
    part = Schema.from_dict({name: fields.String()})
    whole = Schema.from_dict({name: fields.Nested(part), "list": fields.List(fields.Nested(part))})
    value = whole().dump({name: {name: "a"}, "list": [{name: "b"}]})
    assert described(whole()).validate(etree.fromstring(xml.dumps(value)))


class RowSchema(Schema):
    """Rows of numbers, a part, and another one or none."""

    rows = fields.List(fields.List(fields.Integer()), required=True)
    at = fields.AwareDateTime(allow_none=True)
    done = fields.Boolean()
    part = fields.Nested(lambda: PartSchema())
    spare = fields.Nested(lambda: PartSchema(), allow_none=True)


class PartSchema(Schema):
    """A part, in parts."""

    name = fields.String(required=True)
    parts = fields.List(fields.Nested(lambda: PartSchema()))


RIGHT = {
    "rows": [[1, 2], []],
    "at": None,
    "done": True,
    "part": {"name": "a", "parts": [{"name": "b", "parts": []}]},
}


@pytest.mark.parametrize(
    "wrong",
    [
        {**RIGHT, "rows": [["a"]]},
        {**RIGHT, "rows": [1]},
        {**RIGHT, "at": "yesterday"},
        {**RIGHT, "done": 2},
        {**RIGHT, "done": None},
        {**RIGHT, "part": {"name": "a", "parts": [{"title": "b"}]}},
        {**RIGHT, "other": 1},
        {"at": None},
        [],
    ],
)
def test_what_is_not_of_the_schema_is_refused(wrong: Any) -> None:
    judge = described(RowSchema(), IN)
    assert judge.validate(etree.fromstring(xml.dumps(RIGHT))), judge.error_log
    assert judge.validate(etree.fromstring(xml.dumps({**RIGHT, "spare": None}))), judge.error_log
    assert not judge.validate(etree.fromstring(xml.dumps(wrong)))


@pytest.mark.readers
@pytest.mark.parametrize(
    ("name", "kind", "other", "path"),
    [
        ("tasks", "TaskPage", "Task", "/tasks"),
        ("auth", "RegistrationPage", "Registration", "/users"),
        ("auth", "Problem", "Grant", "/clients?nothing=1"),
        ("archives", "Root", "Problem", "/"),
    ],
)
def test_xmllint_says_so_too(
    suite: Suite, tmp_path: Path, name: str, kind: str, other: str, path: str
) -> None:
    suite.task()
    headers = {**suite.headers, "Accept": "application/xml"}
    (tmp_path / "answer.xml").write_bytes(suite.call(name, "GET", path, headers=headers).content)
    for each, status in ((kind, 0), (other, 3)):
        schema = tmp_path / f"{each}.xsd"
        schema.write_bytes(suite.call(name, "GET", f"/schemas/{schema.name}").content)
        command = ["xmllint", "--noout", "--schema", str(schema), str(tmp_path / "answer.xml")]
        done = subprocess.run(command, check=False, timeout=30, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
