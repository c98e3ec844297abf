"""Files of tasks: kept whole, given back as they were, in pieces if asked for, and never lost."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from unicodedata import normalize
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select
from werkzeug.http import parse_options_header

from glassware.api.schema import page_of
from glassware.media import xml
from glassware.testing import assert_problem
from glassware_tasks.attachments import name_fault
from glassware_tasks.models import Attachment, Task, db
from glassware_tasks.schemas import AttachmentSchema

NAMES = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1)
    .map(lambda name: normalize("NFC", name))
    .filter(lambda name: not name_fault(name))
)
TYPES = st.sampled_from(["text/html", "text/plain; charset=latin-1", "image/svg+xml", "a/b;c=d"])
SLOW = settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
ANY = {"If-Match": "*"}
LIMIT = 5 * 1024**2


def tag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()}"'


def test_a_file_comes_back_as_it_was_sent(task: str, alice: Any) -> None:
    made = alice.attach(task, "minutes.txt", b"We met.\r\n\0", **{"Content-Type": "text/plain"})
    document = made.json()
    url = f"{task}/attachments/minutes.txt"
    assert made.headers["Location"] == document["url"] == url
    assert document.pop("created_at") <= document.pop("updated_at")
    digest = sha256(b"We met.\r\n\0")
    assert document == {
        "url": url,
        "name": "minutes.txt",
        "content_type": "text/plain",
        "size": 10,
        "sha256": digest.hexdigest(),
    }
    read = alice.get(url)
    assert (read.status_code, read.content) == (200, b"We met.\r\n\0")
    expected = {
        "Content-Type": "text/plain",
        "Content-Length": "10",
        "Content-Disposition": "attachment; filename=minutes.txt",
        "X-Content-Type-Options": "nosniff",
        "ETag": made.headers["ETag"],
        "Repr-Digest": f"sha-256=:{b64encode(digest.digest()).decode()}:",
        "Accept-Ranges": "bytes",
    }
    assert {name: read.headers[name] for name in expected} == expected
    head = alice.call("HEAD", url)
    assert {name: head.headers[name] for name in expected} == expected
    assert head.content == b""


def test_any_name_any_bytes_and_any_type_come_back(one_house: Any, alice: Any) -> None:
    @SLOW
    @given(NAMES, st.binary(max_size=3000), TYPES)
    def check(name: str, content: bytes, kind: str) -> None:
        one_house.clear()
        task = alice.add().json()["url"]
        url = alice.attach(task, name, content, **{"Content-Type": kind}).headers["Location"]
        assert url == f"{task}/attachments/{quote(name, safe=SAFE)}"
        for address in (url, f"{task}/attachments/{quote(name, safe='')}"):
            read = alice.get(address)
            assert (read.content, read.headers["Content-Type"]) == (content, kind)
        assert saved_as(read.headers["Content-Disposition"]) == name
        (item,) = alice.attached(task)
        assert (item["url"], item["name"], item["content_type"]) == (url, name, kind)
        in_xml = alice.get(f"{task}/attachments", Accept="application/xml").content
        assert xml.loads(in_xml, page_of(AttachmentSchema)()) == {"items": [item], "next": None}

    check()


#: What a segment of a path may hold as it is (RFC 3986 section 3.3).
SAFE = "!$&'()*+,;:=@"


def saved_as(disposition: str) -> str:
    """Return the name that a browser saves it by."""
    kind, parameters = parse_options_header(disposition)
    assert kind == "attachment"
    assert disposition.isascii()
    return parameters["filename"]


REFUSED = {
    "the folder itself": ("%2e", "stands for a folder"),
    "the folder above": ("%2e%2e", "stands for a folder"),
    "a line feed": ("a%0Ab", "control characters"),
    "a null": ("%00", "control characters"),
    "a control character of Latin 1": ("%C2%85", "control characters"),
    "what XML cannot carry": ("%EF%BF%BF", "XML"),
    "no UTF-8": ("%FF", "not UTF-8"),
    "a lone surrogate": ("%ED%A0%80", "not UTF-8"),
    "an overlong dot": ("%C0%AE", "not UTF-8"),
    "an accent of its own": ("e%CC%81", "normal form C"),
    "256 bytes": ("x" * 256, "more than 255 bytes"),
    "128 letters of two bytes": ("%C3%A9" * 128, "more than 255 bytes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_name_is_a_422_that_says_why(
    house: Any, task: str, alice: Any, case: str
) -> None:
    name, words = REFUSED[case]
    before = house.rows()
    document = assert_problem(alice.put(f"{task}/attachments/{name}", b"x"), 422)
    assert words in document["errors"]["name"][0]
    assert_problem(alice.get(f"{task}/attachments/{name}"), 404)
    assert_problem(alice.call("DELETE", f"{task}/attachments/{name}", headers=ANY), 404)
    assert house.rows() == before


@pytest.mark.parametrize("name", ["x" * 255, "%C3%A9" * 127, "...", " ", "%5C", "a;b=%22c%22", "*"])
def test_a_name_may_be_odd(task: str, alice: Any, name: str) -> None:
    url = alice.put(f"{task}/attachments/{name}", b"x").headers["Location"]
    assert saved_as(alice.get(url).headers["Content-Disposition"]) == unquote(name)


@pytest.mark.parametrize("name", ["a%2Fb", "a/b", "%2F"])
def test_a_name_is_one_step_of_the_path(house: Any, task: str, alice: Any, name: str) -> None:
    before = house.rows()
    assert_problem(alice.put(f"{task}/attachments/{name}", b"x"), 404)
    assert house.rows() == before


BAD_TYPES = [
    "text",
    "text/",
    "/plain",
    "*/*",
    "text/*",
    "a/b; c",
    "a/b, c/d",
    "text/html\x0b",
]


@pytest.mark.parametrize("kind", [*BAD_TYPES, "a/b;c=" + "d" * 250])
def test_what_is_no_media_type_is_a_415(house: Any, task: str, alice: Any, kind: str) -> None:
    before = house.rows()
    answer = alice.put(f"{task}/attachments/a", b"x", **{"Content-Type": kind})
    assert_problem(answer, 415, "unsupported-media-type")
    assert house.rows() == before


def test_what_is_encoded_or_a_part_is_not_kept(house: Any, task: str, alice: Any) -> None:
    before, url = house.rows(), f"{task}/attachments/a"
    refused = alice.put(url, b"x", **{"Content-Encoding": "gzip"})
    assert_problem(refused, 415)
    assert refused.headers["Accept-Encoding"] == "identity"
    assert_problem(alice.put(url, b"x", **{"Content-Range": "bytes 5-5/6"}), 400)
    assert house.rows() == before


def test_without_a_type_it_is_bytes(task: str, alice: Any) -> None:
    url = alice.attach(task, "a", b"x").headers["Location"]
    assert alice.get(url).headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("accept", ["image/png", "*/*", "application/json", "text/html"])
def test_a_file_is_given_whatever_is_asked_for(task: str, alice: Any, accept: str) -> None:
    url = alice.attach(task, "a", b"<p>", **{"Content-Type": "text/html"}).headers["Location"]
    read = alice.get(url, Accept=accept)
    assert (read.content, read.headers["Content-Type"]) == (b"<p>", "text/html")
    assert read.headers["Content-Disposition"].startswith("attachment")


def test_what_is_attached_is_not_when_the_answer_cannot_be_made(
    house: Any, task: str, alice: Any
) -> None:
    before = house.rows()
    assert_problem(alice.put(f"{task}/attachments/a", b"x", Accept="image/png"), 406)
    assert house.rows() == before


def test_a_range_is_a_slice(one_house: Any, alice: Any) -> None:
    one_house.clear()
    content = bytes(range(256)) * 5
    url = alice.attach(alice.add().json()["url"], "a", content).headers["Location"]
    size = len(content)

    @SLOW
    @given(st.integers(0, size + 9), st.none() | st.integers(0, size + 9))
    def check(first: int, last: int | None) -> None:
        wanted = f"bytes={first}-{'' if last is None else last}"
        read = alice.get(url, Range=wanted, **{"If-Range": tag(content)})
        if last is not None and last < first:
            assert (read.status_code, read.content) == (200, content)
        elif first >= size:
            assert_problem(read, 416)
            assert read.headers["Content-Range"] == f"bytes */{size}"
        else:
            piece = content[first : size if last is None else last + 1]
            assert (read.status_code, read.content) == (206, piece)
            end = first + len(piece) - 1
            assert read.headers["Content-Range"] == f"bytes {first}-{end}/{size}"
        other = alice.get(url, Range=wanted, **{"If-Range": tag(b"another")})
        assert (other.status_code, other.content) == (200, content)

    check()
    assert alice.get(url, Range="bytes=-7").content == content[-7:]


def test_an_empty_file_is_a_file(task: str, alice: Any) -> None:
    url = alice.attach(task, "empty", b"").headers["Location"]
    read = alice.get(url)
    assert (read.status_code, read.content) == (200, b"")
    assert alice.get(url, Range="bytes=0-").content == b""
    assert alice.attached(task)[0]["size"] == 0


def test_who_replaces_says_what(house: Any, task: str, alice: Any) -> None:
    url = alice.attach(task, "a", b"old", **{"Content-Type": "text/plain"}).headers["Location"]
    (before,) = alice.attached(task)
    rows = house.rows()
    assert_problem(alice.put(url, b"new"), 428, "if-match-required")
    assert_problem(alice.put(url, b"new", **{"If-None-Match": tag(b"x")}), 428)
    for stale in (tag(b"new"), f"W/{tag(b'old')}", "", '"'):
        refused = alice.put(url, b"new", **{"If-Match": stale})
        assert_problem(refused, 412, "stale")
        assert refused.headers["ETag"] == tag(b"old")
    assert_problem(alice.put(url, b"new", **{"If-None-Match": "*"}), 412)
    assert_problem(alice.put(url, b"new", **ANY, **{"If-None-Match": tag(b"old")}), 412)
    assert house.rows() == rows
    replaced = alice.put(url, b"newer", **{"If-Match": f'"x", {tag(b"old")}'})
    assert replaced.status_code == 200
    assert replaced.headers["ETag"] == tag(b"newer")
    after = replaced.json()
    assert alice.attached(task) == [after]
    assert after["updated_at"] > before["updated_at"]
    same = {"url": before["url"], "name": "a", "created_at": before["created_at"]}
    changed = {"size": 5, "sha256": sha256(b"newer").hexdigest()}
    assert same.items() | changed.items() <= after.items()
    assert after["content_type"] == "application/octet-stream"
    assert alice.get(url).content == b"newer"


def test_what_is_new_replaces_nothing(house: Any, task: str, alice: Any) -> None:
    url = f"{task}/attachments/a"
    before = house.rows()
    for match in ("*", tag(b"")):
        assert_problem(alice.put(url, b"x", **{"If-Match": match}), 412, "stale")
    assert house.rows() == before
    assert alice.put(url, b"x", **{"If-None-Match": "*"}).status_code == 201


def test_a_known_file_is_not_sent_again(task: str, alice: Any) -> None:
    url = alice.attach(task, "a", b"x").headers["Location"]
    for known in (tag(b"x"), f"W/{tag(b'x')}", "*"):
        answer = alice.get(url, **{"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    assert alice.get(url, **ANY).content == b"x"
    assert_problem(alice.get(url, **{"If-Match": tag(b"y")}), 412)


def test_a_file_is_removed_by_who_knows_it(house: Any, task: str, alice: Any) -> None:
    url = alice.attach(task, "a", b"x").headers["Location"]
    rows = house.rows()
    assert_problem(alice.call("DELETE", url), 428)
    assert_problem(alice.call("DELETE", url, headers={"If-Match": tag(b"y")}), 412)
    assert house.rows() == rows
    assert alice.call("DELETE", url, headers={"If-Match": tag(b"x")}).status_code == 204
    assert_problem(alice.get(url), 404)
    assert_problem(alice.call("DELETE", url, headers=ANY), 404)
    assert alice.attached(task) == []


def test_attachments_go_with_their_task(house: Any, task: str, alice: Any) -> None:
    other = alice.add().json()["url"]
    for each in (task, other):
        alice.attach(each, "a", b"x")
    assert alice.call("DELETE", task, headers=ANY).status_code == 204
    assert_problem(alice.get(f"{task}/attachments"), 404)
    assert_problem(alice.get(f"{task}/attachments/a"), 404)
    assert_problem(alice.put(f"{task}/attachments/a", b"x"), 404)
    with house.mesh.apps["tasks"].app_context():
        assert db.session.scalars(select(Attachment.name)).all() == ["a"]
    assert alice.get(f"{other}/attachments/a").content == b"x"


def test_a_task_is_the_same_whatever_is_attached_to_it(task: str, alice: Any) -> None:
    before = alice.get(task)
    alice.attach(task, "a", b"x")
    after = alice.get(task)
    assert (after.json(), after.headers["ETag"]) == (before.json(), before.headers["ETag"])


def test_a_list_has_pages_and_an_order_and_reads_no_content(
    house: Any, task: str, alice: Any
) -> None:
    for number in range(5):
        alice.attach(task, f"{number}.txt", b"x" * (number * 7 % 5))
    statements: list[str] = []
    with house.mesh.apps["tasks"].app_context():
        engine = db.engine
    note: Callable[..., None] = lambda *about: statements.append(about[2])  # noqa: E731
    event.listen(engine, "before_cursor_execute", note)
    try:
        names, url = [], f"{task}/attachments?limit=2&sort=-size&fields=name"
        while url:
            page = alice.get(url).json()
            names += [item["name"] for item in page["items"]]
            url = page["next"]
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert names == ["2.txt", "4.txt", "1.txt", "3.txt", "0.txt"]
    reads = [each for each in statements if "attachments.name" in each]
    assert len(reads) == 3
    assert not [each for each in reads if "attachments.content," in each]
    first = alice.get(f"{task}/attachments?limit=2").json()
    assert [item["name"] for item in first["items"]] == ["0.txt", "1.txt"]
    assert_problem(alice.get(f"{task}/attachments?name=0.txt"), 400, "unknown-parameter")
    other = alice.add().json()["url"]
    cursor = first["next"].partition("?")[2]
    assert_problem(alice.get(f"{other}/attachments?{cursor}"), 400, "invalid-cursor")


def test_people_with_a_browser_see_the_list(task: str, alice: Any) -> None:
    url = alice.attach(task, "<b>Größe", b"x").headers["Location"]
    page = alice.get(f"{task}/attachments", Accept="text/html")
    assert page.status_code == 200
    assert url.replace("&", "&amp;").replace("'", "&#39;") in page.text
    assert "<b>Größe" not in page.text


def test_the_largest_attachment_is_kept_and_a_larger_one_is_a_413(
    house: Any, task: str, alice: Any
) -> None:
    url = alice.attach(task, "large", b"x" * LIMIT).headers["Location"]
    before = house.rows()
    for name in ("large", "larger"):
        refused = alice.put(f"{task}/attachments/{name}", b"x" * (LIMIT + 1), **ANY)
        assert assert_problem(refused, 413, "too-large")["limit"] == LIMIT
    assert house.rows() == before
    assert len(alice.get(url).content) == LIMIT


def test_a_task_has_so_many_attachments_and_no_more(small_house: Any) -> None:
    eve = small_house.person()
    task = eve.add().json()["url"]
    for name in "ab":
        url = eve.attach(task, name, b"x" * 10).headers["Location"]
    before = small_house.rows()
    assert_problem(eve.put(f"{task}/attachments/c", b"x"), 413, "too-many-attachments")
    assert_problem(eve.put(url, b"x" * 11, **ANY), 413, "too-large")
    assert small_house.rows() == before
    assert eve.put(url, b"y", **ANY).status_code == 200
    assert eve.call("DELETE", url, headers=ANY).status_code == 204
    assert eve.put(f"{task}/attachments/c", b"x").status_code == 201


def test_no_content_is_read_with_the_row(house: Any) -> None:
    with house.mesh.apps["tasks"].app_context():
        assert db.shapes.of(Task)
        assert db.shapes.of(Attachment) is None
