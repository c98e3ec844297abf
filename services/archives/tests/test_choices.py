"""What may be chosen of an archive, over HTTP: each reaches it, and no passphrase is told."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from glassware.cli.processes import free_ports
from glassware.testing import assert_problem
from glassware_archives.domain import FORMATS

CANARY = "canary-of-the-passphrase-0123456789"
TEXTS = [{"name": "a.txt", "text": "one" * 5_000}, {"name": "b.txt", "text": "two"}]
LATE = sorted(format for format, kind in FORMATS.items() if kind.at_end)


def streamed(archives: Any, entries: list[dict[str, Any]], **wish: Any) -> httpx2.Response:
    body = {"entries": entries, **wish}
    answer: httpx2.Response = archives.client.post(
        "/archives", json=body, headers=archives.headers()
    )
    return answer


def opened(answer: httpx2.Response) -> zipfile.ZipFile:
    assert answer.status_code == 200, answer.text
    return zipfile.ZipFile(io.BytesIO(answer.content))


@pytest.mark.parametrize("format", LATE)
def test_what_is_whole_before_its_first_byte_is_built_as_a_job(make: Any, format: str) -> None:
    archives = make()
    problem = assert_problem(streamed(archives, TEXTS, format=format), 422)
    assert "Prefer: respond-async" in problem["errors"]["format"][0]
    job = archives.built(TEXTS, format=format)
    assert job["state"] == "done"
    answer = archives.get(job["result"])
    assert answer.headers["Content-Type"].startswith(FORMATS[format].media_type)
    assert answer.content


DEEP = "deep/" * 30 + "x" * 100
ENTRIES = [
    {"name": "empty", "text": ""},
    {"name": "block", "text": "x" * 512},
    {"name": "文書/é.txt", "text": "x" * 513, "mode": "600"},
    {"name": DEEP, "text": "deep", "modified": "2020-02-02T02:02:02Z"},
    {"name": "folder", "kind": "directory"},
    {"name": "folder/link", "kind": "symlink", "target": "../empty"},
]


@pytest.mark.parametrize("format", ["zip", "tar"])
@pytest.mark.parametrize("entries", [ENTRIES, *([entry] for entry in ENTRIES[:5])])
def test_length_is_told_where_all_sizes_are_known(make: Any, format: str, entries: Any) -> None:
    answer = streamed(make(), entries, format=format, compression="store")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "choice",
    [{"manifest": True}, {"on_error": "report"}, {"names": "rewrite"}, {"format": "tar.gz"}],
)
def test_length_is_not_told_where_it_is_not_known(make: Any, choice: dict[str, Any]) -> None:
    answer = streamed(make(), TEXTS, **{"format": "tar", **choice})
    assert answer.status_code == 200
    assert "Content-Length" not in answer.headers


def test_compression_is_the_one_that_was_chosen(make: Any) -> None:
    archives = make()
    sizes = {
        choice: len(streamed(archives, TEXTS, compression=choice).content)
        for choice in ("store", "fast", "small")
    }
    assert sizes["store"] > 15_000 > 1_000 > max(sizes["fast"], sizes["small"])
    problem = assert_problem(streamed(archives, TEXTS, format="tar", compression="small"), 422)
    assert "compression" in problem["errors"]


def test_too_many_entries_are_refused_before_the_first_byte(make: Any) -> None:
    archives = make(**{"archives.max_entries": "2000"})
    entries = [{"name": f"{number}", "text": "x" * 100} for number in range(2001)]
    assert streamed(archives, entries[1:], format="tar").status_code == 200
    assert "2000" in assert_problem(streamed(archives, entries, format="tar"), 413)["detail"]
    assert archives.built(entries, format="tar")["problem"]["status"] == 413


def test_time_permissions_and_names_are_those_that_were_chosen(make: Any) -> None:
    entry = {"name": "/C:/con", "text": "x", "mode": "640", "modified": "2020-02-02T02:02:02Z"}
    archives = make()
    assert_problem(streamed(archives, [entry], format="tar"), 422)
    answer = streamed(archives, [entry], format="tar", names="rewrite")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        member = archive.getmembers()[0]
    assert (member.name, member.mode) == ("C_/_con", 0o640)
    assert member.mtime == datetime(2020, 2, 2, 2, 2, 2, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("library", [False, True])
def test_manifest_is_in_the_archive_where_it_is_asked_for(make: Any, library: bool) -> None:
    with opened(streamed(make(), TEXTS, manifest=True, library=library)) as archive:
        told = json.loads(archive.read("_manifest.json"))["entries"]
    assert [(item["name"], item["size"]) for item in told] == [("a.txt", 15_000), ("b.txt", 3)]


def test_what_is_missing_is_told_in_the_status_of_the_job(make: Any) -> None:
    gone = f"127.0.0.1:{free_ports(['nobody'])['nobody']}"
    archives = make(**{"archives.allowed_sources": f"http://{gone}"})
    entries = [*TEXTS, {"name": "gone", "url": f"http://{gone}/"}]
    job = archives.built(entries, on_error="report")
    assert job["state"] == "done"
    assert list(job["problem"]["errors"]) == ["gone"]
    failed = archives.built(entries)["problem"]
    assert failed["entry"] == "gone"
    assert failed["type"] == "http://127.0.0.1:7003/problems/unreachable"
    with opened(archives.get(job["result"])) as archive:
        assert archive.namelist() == ["a.txt", "b.txt", "_errors.json"]
    assert archives.built(TEXTS, on_error="report")["problem"] is None


def test_passphrase_is_told_nowhere(make: Any, tmp_path: Path, capfd: Any, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    sealed = {"passphrase": CANARY}
    archives = make()
    answers = [
        streamed(archives, TEXTS, **sealed),
        streamed(archives, TEXTS, format="tar", **sealed),
        streamed(archives, [{"name": "../up", "text": ""}], **sealed),
        streamed(archives, TEXTS, passphrase=CANARY * 10),
        streamed(archives, TEXTS, passphrase=[CANARY]),
        archives.post(TEXTS, **sealed),
        archives.post([{"name": "x", "url": "http://127.0.0.1:1/"}], **sealed),
    ]
    archives.work()
    answers.append(archives.get("/jobs"))
    assert {job["state"] for job in answers[-1].json()["items"]} == {"done", "failed"}
    told = b"".join(bytes(str(answer.headers), "utf-8") + answer.content for answer in answers)
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    # What a span tells is what the log does: it is made out of the same events.
    logged = "".join(capfd.readouterr()) + "".join(repr(vars(each)) for each in caplog.records)
    assert "archive-build" in logged
    assert CANARY.encode() not in told + files + logged.encode()
