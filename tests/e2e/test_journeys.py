"""What the suite is for, end to end."""

from __future__ import annotations

import io
import json
import tarfile
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from glassware.media import xml
from glassware.problems import UpstreamProblem, chain
from glassware.testing import assert_problem
from glassware_tasks.schemas import TaskSchema
from tests.e2e.sources import BLOCK, Source, source
from tests.e2e.worlds import PASSWORD, Person, World

MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def files(world: World) -> Iterator[Source]:
    with source(world.file_port) as server:
        yield server


def add_task(world: World, who: Person, title: str) -> dict[str, Any]:
    with world.http("tasks") as client:
        body = {"title": title, "person": who.url}
        made = client.post("/tasks", json=body, headers=who.headers)
    assert made.status_code == 201, made.text
    document: dict[str, Any] = made.json()
    return document


def build(world: World, who: Person, entries: list[dict[str, Any]], form: str = "zip") -> Any:
    with world.http("archives") as client:
        body = {"format": form, "entries": entries}
        return client.post("/archives", json=body, headers=who.headers)


def test_a_task_lives_its_life_in_json(world: World, ann: Person) -> None:
    with world.http("tasks") as client:
        client.headers.update(ann.headers)
        body = {"title": "Water", "person": ann.url, "due_to": "2027-01-31T12:00:00+01:00"}
        made = client.post("/tasks", json=body)
        assert made.status_code == 201
        url, tag = made.json()["url"], made.headers["ETag"]
        assert made.headers["Location"] == url
        assert made.json()["due_to"] == "2027-01-31T11:00:00Z"
        read = client.get(url)
        assert (read.json(), read.headers["ETag"]) == (made.json(), tag)
        assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
        changed = client.patch(url, content=b'{"done": true}', headers={**MERGE, "If-Match": tag})
        assert changed.json()["done"] is True
        stale = client.delete(url, headers={"If-Match": tag})
        assert_problem(stale, 412, "stale")
        gone = client.delete(url, headers={"If-Match": changed.headers["ETag"]})
        assert (gone.status_code, gone.content) == (204, b"")
        assert_problem(client.get(url), 404)


def test_a_task_lives_its_life_in_xml(world: World, ann: Person) -> None:
    media = {"Content-Type": "application/xml", "Accept": "application/xml"}
    with world.http("tasks") as client:
        client.headers.update({**ann.headers, **media})
        body = f"<task><title>Grüße &amp; mehr</title><person>{ann.url}</person></task>"
        made = client.post("/tasks", content=body.encode())
        assert made.status_code == 201, made.text
        document = xml.loads(made.content, TaskSchema())
        assert (document["title"], document["due_to"], document["done"]) == (
            "Grüße & mehr",
            None,
            False,
        )
        changed = client.patch(
            document["url"],
            content=b"<task><done>true</done></task>",
            headers={"If-Match": made.headers["ETag"]},
        )
        assert xml.loads(changed.content, TaskSchema())["done"] is True
        as_json = client.get(document["url"], headers={"Accept": "application/json"})
        assert as_json.json() == xml.loads(changed.content, TaskSchema())


def test_nobody_sees_the_tasks_of_another(world: World, ann: Person, ben: Person) -> None:
    task = add_task(world, ann, "private to Ann")
    with world.http("tasks") as client:
        assert_problem(client.get(task["url"], headers=ben.headers), 404)
        listed = client.get("/tasks", headers=ben.headers).text
        assert "private to Ann" not in listed
        given = client.post(
            "/tasks", json={"title": "for Ann", "person": ann.url}, headers=ben.headers
        )
        assert "person" in assert_problem(given, 422)["errors"]


def test_a_service_account_gives_tasks_to_people_who_exist(world: World, ann: Person) -> None:
    headers = world.account("tasks:admin tasks:write tasks:read users:read")
    with world.http("tasks") as client:
        client.headers.update(headers)
        given = client.post("/tasks", json={"title": "from the robot", "person": ann.url})
        assert given.status_code == 201
        nobody = ann.url[:-12] + "000000000000"
        refused = client.post("/tasks", json={"title": "for nobody", "person": nobody})
        assert "person" in assert_problem(refused, 422)["errors"]
        assert client.get("/tasks?title=for+nobody").json()["items"] == []


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz", "tar.xz", "tar.zst"])
def test_an_archive_holds_a_persons_own_tasks_a_text_and_a_file(
    world: World, ann: Person, ben: Person, files: Source, form: str
) -> None:
    add_task(world, ann, "in the archive")
    add_task(world, ben, "of somebody else")
    entries = [
        {"name": "tasks.json", "service": "tasks", "path": "/tasks?limit=200"},
        {"name": "tasks.xml", "service": "tasks", "path": "/tasks", "accept": "application/xml"},
        {"name": "notes/hällo.txt", "text": "Hello, Ann.\n"},
        {"name": "data/blocks.bin", "url": f"{files.url}/blocks/20"},
    ]
    answer = build(world, ann, entries, form)
    assert answer.status_code == 200, answer.text
    assert "Content-Length" not in answer.headers, "it was streamed"
    found = unpack(answer.content, form)
    assert sorted(found) == sorted(entry["name"] for entry in entries)
    titles = [item["title"] for item in json.loads(found["tasks.json"])["items"]]
    assert "in the archive" in titles
    assert "of somebody else" not in titles
    assert found["tasks.xml"].startswith(b"<?xml")
    assert found["notes/hällo.txt"] == b"Hello, Ann.\n"
    assert found["data/blocks.bin"] == BLOCK * 20


def unpack(archive: bytes, form: str) -> dict[str, bytes]:
    """Return the files of the archive, read by Python where it can, by libarchive elsewhere."""
    if form == "zip":
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            assert opened.testzip() is None
            return {name: opened.read(name) for name in opened.namelist()}
    if form in ("tar", "tar.gz", "tar.xz"):
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            members = [(member.name, tar.extractfile(member)) for member in tar]
            return {name: opened.read() for name, opened in members if opened}
    import libarchive

    with libarchive.memory_reader(archive) as reader:
        return {entry.pathname: b"".join(entry.get_blocks()) for entry in reader}


def test_an_error_two_hops_away_arrives_whole_with_one_request_id(
    world: World, ann: Person
) -> None:
    answer = build(world, ann, [{"name": "x", "service": "tasks", "path": "/fault"}])
    document = assert_problem(answer, 502, "upstream")
    links = list(chain(document))
    assert [link["service"] for link in links] == ["archives", "tasks"]
    assert [link["status"] for link in links] == [502, 500]
    request_id = answer.headers["X-Request-Id"]
    assert {link["request_id"] for link in links} == {request_id}
    told = {line["service"] for line in world.log() if line.get("request_id") == request_id}
    assert told >= {"archives", "tasks"}
    faults = [line for line in world.log() if line["event"] == "request_failed"]
    assert any("on purpose" in line["exception"]["message"] for line in faults)


def test_the_chain_arrives_in_xml_too(world: World, ann: Person) -> None:
    with world.http("archives") as client:
        answer = client.post(
            "/archives",
            json={"entries": [{"name": "x", "service": "tasks", "path": "/fault"}]},
            headers={**ann.headers, "Accept": "application/xml"},
        )
    assert answer.headers["Content-Type"].startswith("application/problem+xml")
    document = assert_problem(answer, 502, "upstream")
    assert document["cause"]["status"] == 500


def test_a_request_id_and_a_trace_go_through_every_hop(world: World, ann: Person) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with world.http("archives") as client:
        answer = client.post(
            "/archives",
            json={"entries": [{"name": "x", "service": "tasks", "path": "/tasks"}]},
            headers={
                **ann.headers,
                "X-Request-Id": "my-own.id_1",
                "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
            },
        )
    assert answer.headers["X-Request-Id"] == "my-own.id_1"
    told = [line for line in world.log() if line.get("request_id") == "my-own.id_1"]
    assert {line["service"] for line in told} >= {"archives", "tasks"}
    assert {line["trace_id"] for line in told} == {trace}


def test_an_archive_reads_the_neighbour_as_the_caller(world: World, ann: Person) -> None:
    """A token that does not reach the neighbour does not reach it through us either."""
    headers = world.account("archives:write")
    with world.http("archives") as client:
        body = {"entries": [{"name": "x", "service": "tasks", "path": "/tasks"}]}
        answer = client.post("/archives", json=body, headers=headers)
    document = assert_problem(answer, 502)
    assert document["cause"]["status"] == 403
    assert document["cause"]["required"] == "scope tasks:read"


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_a_source_that_dies_cuts_the_archive(
    world: World, ann: Person, files: Source, form: str
) -> None:
    """The connection ends without its end, so nobody takes what was sent for an archive."""
    entries = [
        {"name": "good.bin", "url": f"{files.url}/blocks/40"},
        {"name": "bad.bin", "url": f"{files.url}/dying/40"},
    ]
    received = bytearray()
    request = {"json": {"format": form, "entries": entries}, "headers": ann.headers}
    with world.http("archives") as client:
        with client.stream("POST", "/archives", **request) as answer:
            assert answer.status_code == 200
            with pytest.raises((httpx2.RemoteProtocolError, UpstreamProblem)):
                collect(answer, received)
    assert b"good.bin" in received
    assert b"PK\x05\x06" not in received, "no central directory"
    assert not received.endswith(bytes(1024)), "no end of a tar"


def collect(answer: httpx2.Response, received: bytearray) -> None:
    for chunk in answer.iter_raw():
        received += chunk


def test_a_source_out_of_reach_is_a_problem_that_names_the_entry(
    world: World, ann: Person, files: Source
) -> None:
    answer = build(world, ann, [{"name": "bad.bin", "url": f"{files.url}/nothing/here"}])
    document = assert_problem(answer, 502, "upstream")
    assert document["entry"] == "bad.bin"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:7001/health/live",
        "http://localhost:7001/",
        "http://[::1]:7001/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
    ],
)
def test_no_archive_reaches_into_the_house(world: World, ann: Person, url: str) -> None:
    answer = build(world, ann, [{"name": "x", "url": url}])
    document = assert_problem(answer, 422)
    assert document["entry"] == "x"


def test_a_redirect_into_the_house_is_refused(world: World, ann: Person, files: Source) -> None:
    inside = "http://169.254.169.254/"
    answer = build(world, ann, [{"name": "x", "url": f"{files.url}/redirect/{inside}"}])
    assert_problem(answer, 422, "blocked-address")


def test_a_rotated_key_is_picked_up_and_the_old_tokens_still_hold(
    world: World, ann: Person
) -> None:
    with world.http("tasks") as client:
        assert client.get("/tasks", headers=ann.headers).status_code == 200
        world.manage("keys", "rotate", "--now")
        deadline = time.monotonic() + 5
        while True:
            fresh = world.log_in(ann.url, ann.email)
            status = client.get("/tasks", headers=fresh.headers).status_code
            assert status in (200, 401, 503)
            if status == 200:
                break
            assert time.monotonic() < deadline, "the new key is not picked up"
            time.sleep(0.1)
        assert client.get("/tasks", headers=ann.headers).status_code == 200


def test_no_secret_is_in_any_log(world: World) -> None:
    """Run last in this file, over what all the others did."""
    cleo = world.person("cleo")
    with world.http("tasks") as client:
        client.get("/tasks", headers=cleo.headers)
        client.get(f"/tasks?access_token={cleo.token}")
        client.post("/tasks", content=cleo.token.encode(), headers=cleo.headers)
    with world.http("auth") as client:
        client.post("/login", json={"email": cleo.email, "password": PASSWORD + "x"})
        client.post("/login", content=f'{{"password": "{PASSWORD}"'.encode())
    text = json.dumps(world.log())
    for secret in (PASSWORD, cleo.token, cleo.refresh_token, cleo.token.rpartition(".")[2]):
        assert secret not in text
