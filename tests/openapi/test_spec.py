"""The document: valid, whole, and true of what the services answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from glassware.media import xml
from glassware.openapi.schema import IN, Converter
from glassware.openapi.spec import routes
from glassware.testing import Mesh
from glassware_tasks.app import service as tasks

from .conftest import MAX_BODY, Suite

NAMES = ["auth", "tasks", "archives"]
METHODS = ("get", "post", "put", "patch", "delete")


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def of(document: Any, operation_id: str) -> Any:
    return next(each for *_, each in operations(document) if each["operationId"] == operation_id)


@pytest.mark.parametrize("name", NAMES)
def test_document_is_valid_openapi_3_1(suite: Suite, name: str) -> None:
    assert [
        str(error) for error in OpenAPIV31SpecValidator(suite.document(name)).iter_errors()
    ] == []


@pytest.mark.parametrize("name", NAMES)
def test_document_is_served_to_everybody_and_the_same_as_generated(suite: Suite, name: str) -> None:
    answer = suite.call(name, "GET", "/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == json.loads(json.dumps(suite.document(name)))


def test_manage_py_prints_the_document(tmp_path: Path) -> None:
    settings = {"GLASSWARE_TASKS__SERVICE__STATE_DIR": str(tmp_path)}
    program = Path(__file__).parents[2] / "services" / "tasks" / "manage.py"
    printed = subprocess.run(
        [sys.executable, str(program), "openapi"],
        env={**os.environ, **settings},
        capture_output=True,
        check=True,
        timeout=60,
    )
    document = json.loads(printed.stdout)
    assert document["openapi"] == "3.1.0"
    assert "/tasks/{id}" in document["paths"]


@pytest.mark.parametrize("name", NAMES)
def test_every_method_of_every_route_is_an_operation_with_its_policy(
    suite: Suite, name: str
) -> None:
    document = suite.document(name)
    told = {(path, method.upper()) for path, method, _ in operations(document)}
    app = suite.apps[name]
    rules = {
        (rule.rule.replace("<uuid:", "{").replace("<", "{").replace(">", "}"), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert told == rules
    policies = {
        f"{method.lower()}_{rule.endpoint}": str(resource.policy_for(method))
        for rule, resource, method in routes(app)
    }
    assert policies == {each["operationId"]: each["x-policy"] for *_, each in operations(document)}


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_has_words_a_tag_and_the_statuses_that_all_have(
    suite: Suite, name: str
) -> None:
    document = suite.document(name)
    tags = {tag["name"] for tag in document["tags"]}
    for _, _, operation in operations(document):
        assert operation["summary"].strip()
        assert "``" not in operation["summary"] + operation.get("description", "")
        assert set(operation["tags"]) <= tags
        assert {"400", "406", "421", "default"} <= set(operation["responses"])
        assert any(status < "400" for status in operation["responses"])


def test_security_names_each_set_of_scopes_that_suffices(suite: Suite) -> None:
    document = suite.document("auth")
    named = [
        set(scopes)
        for scheme in of(document, "get_user")["security"]
        for kind, scopes in scheme.items()
        if kind == "bearer"
    ]
    assert sorted(map(sorted, named)) == [[], ["users:admin"], ["users:read"]]
    assert of(document, "post_login")["security"] == []
    flow = document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "http://127.0.0.1:7001/oauth/token"
    assert {"users:admin", "users:read", "clients:admin"} == set(flow["scopes"])


def test_public_url_of_the_configuration_is_the_server() -> None:
    with Mesh([tasks], settings={"service.public_url": "https://tasks.example.org"}) as mesh:
        app = mesh.apps["tasks"]
        with app.app_context():
            document = app.extensions["glassware"].pages.document()
    assert document["servers"] == [{"url": "https://tasks.example.org"}]
    example = document["components"]["schemas"]["Task"]["examples"][0]["url"]
    assert example.startswith("https://tasks.example.org/tasks/")


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_valid_by_its_schema(suite: Suite, name: str) -> None:
    components = suite.document(name)["components"]
    count = 0
    for schema in components["schemas"].values():
        validator = Draft202012Validator({**schema, "components": components})
        for example in schema.get("examples", []):
            validator.validate(example)
            count += 1
    assert count > 2


@pytest.mark.parametrize("name", NAMES)
def test_every_example_of_a_body_is_one_that_the_service_takes(suite: Suite, name: str) -> None:
    app = suite.apps[name]
    kinds = {getattr(kind, "schema", None) or kind.body for _, kind, _ in routes(app)} - {None}
    with app.test_request_context(base_url="http://127.0.0.1"):
        for kind in kinds:
            converter = Converter("http://127.0.0.1")
            converter.refer(kind(), IN)
            (example,) = converter.components[converter.names[kind, IN]]["examples"]
            kind().load(example)


@pytest.mark.parametrize("name", NAMES)
def test_xml_hints_name_what_the_writer_writes(suite: Suite, name: str) -> None:
    components = suite.document(name)["components"]["schemas"]
    for schema in components.values():
        for member, node in schema["properties"].items():
            if node.get("type") == "array":
                written = xml.dumps({member: ["a"]}).decode()
                item = node["items"]["xml"]["name"]
                assert node["xml"] == {"wrapped": True}
                assert f"<response><{member}><{item}>a</{item}></{member}></response>" in written


def test_answers_have_the_members_that_the_document_names(suite: Suite) -> None:
    task = suite.task()
    for name, path, operation_id in [
        ("tasks", task["url"], "get_task"),
        ("tasks", "/tasks", "get_task_list"),
        ("auth", suite.person, "get_user"),
        ("auth", "/users", "get_user_list"),
        ("auth", "/clients", "get_client_list"),
        ("tasks", "/problems/stale", "get_problem_type"),
    ]:
        document = suite.document(name)
        schemas = document["components"]["schemas"]
        responses = of(document, operation_id)["responses"]
        reference = responses["200"]["content"]["application/json"]["schema"]["$ref"]
        schema = schemas[reference.rpartition("/")[2]]
        answer = suite.call(name, "GET", path, headers=suite.headers).json()
        assert set(answer) == set(schema["properties"])
        for item in answer.get("items", []):
            reference = schema["properties"]["items"]["items"]["$ref"]
            assert set(item) <= set(schemas[reference.rpartition("/")[2]]["properties"])


def mischief(method: str, operation: Any) -> Iterator[dict[str, Any]]:
    """Yield requests that are wrong in one way each, beside what else an operation needs."""
    yield {"headers": {"Authorization": ""}}
    yield {"headers": {"Authorization": "Bearer x"}}
    yield {"headers": {"Accept": "image/png"}}
    yield {"headers": {"Host": "elsewhere.example"}}
    yield {"params": {"no-such": "1"}}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            yield {"params": {parameter["name"]: "\x01"}}
    if "requestBody" in operation:
        kind = next(iter(operation["requestBody"]["content"]))
        yield {"content": b"", "headers": {"Content-Type": kind}}
        yield {"content": b"{", "headers": {"Content-Type": kind}}
        yield {"content": b'{"no-such": 1}', "headers": {"Content-Type": kind}}
        yield {"content": b"x" * (MAX_BODY + 1), "headers": {"Content-Type": kind}}
        yield {"content": b"x", "headers": {"Content-Type": "image/png"}}
        yield {"headers": {"Idempotency-Key": "\x7f" * 3, "Content-Type": kind}, "content": b"{}"}
    if method in ("put", "patch", "delete"):
        yield {"headers": {"If-Match": '"stale-tag"'}}
        yield {"headers": {"If-Match": ""}}


@pytest.mark.parametrize("name", NAMES)
def test_every_status_that_a_mistake_gets_is_promised_by_name(suite: Suite, name: str) -> None:
    document, seen = suite.document(name), set()
    for path, method, operation in operations(document):
        ids = {"id": str(uuid4()), "slug": "no-such", "name": "no-such"}
        real = suite.task()["url"] if path == "/tasks/{id}" else path.format(**ids)
        for each in mischief(method, operation):
            headers = {**suite.headers, **each.pop("headers", {})}
            answer = suite.call(name, method.upper(), real, headers=headers, **each)
            if answer.status_code >= 500:
                assert path == "/fault"
                continue
            promised = operation["responses"].get(str(answer.status_code))
            assert promised, (operation["operationId"], answer.status_code, answer.text)
            seen.add(answer.status_code)
            reference = promised.get("$ref", "").rpartition("/")[2]
            promised = document["components"]["responses"].get(reference, promised)
            kind = answer.headers.get("Content-Type", "").partition(";")[0]
            assert answer.status_code in (204, 304) or kind in promised["content"]
    assert seen >= {400, 401, 406, 413, 415, 421, 422}
    assert seen >= {404, 412, 428} or name != "tasks"
