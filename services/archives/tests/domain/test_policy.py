"""What the caller may choose: names rewritten, failures told, contents listed, in every format."""

from __future__ import annotations

import hashlib
import json
import random
import unicodedata
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.problems import InvalidProblem, Problem, TooLargeProblem, UpstreamProblem
from glassware_archives.domain import (
    FORMATS,
    Entry,
    Ledger,
    Limits,
    Options,
    Workers,
    build,
    check_names,
)

NOISE = random.Random(9).randbytes(700_000)
WORKERS = Workers(2)
LIMITS = Limits()
HOLDING = [format for format in FORMATS if format != "mtree"]

every_format = pytest.mark.parametrize("format", HOLDING)


def made(format: str, *entries: Entry, limits: Limits = LIMITS, **options) -> tuple[bytes, Ledger]:
    ledger = Ledger()
    return b"".join(build(format, entries, limits, Options(**options), WORKERS, ledger)), ledger


def dying(content: bytes, error: Exception) -> Iterator[bytes]:
    yield content
    raise error


@every_format
@pytest.mark.parametrize("sent", [0, 1000, 600_000])
@pytest.mark.parametrize("declared", [None, len(NOISE)])
def test_source_that_fails_is_told_of_and_the_others_are_whole(
    format: str, sent: int, declared: int | None, unpack
) -> None:
    gone = UpstreamProblem("Gone.", status_of_it=410)
    data, ledger = made(
        format,
        Entry("first", [NOISE]),
        Entry("bad", dying(NOISE[:sent], gone), declared),
        Entry("worse", dying(b"", ConnectionError("reset"))),
        Entry("last", [b"x"], 1),
        on_error="report",
    )
    found = unpack(format, data)
    told = json.loads(found.pop("_errors.json"))["errors"]
    assert told == ledger.errors
    assert [(each["name"], each["bytes"]) for each in told] == [
        ("bad", len(found.get("bad", b""))),
        ("worse", 0),
    ]
    assert told[0]["problem"]["detail"] == "Gone."
    assert told[1]["problem"]["title"] == UpstreamProblem.title
    assert "reset" not in json.dumps(told), "what is not a problem of ours is not shown"
    # Only our own zip can end an entry early; it says how much of it there is.
    assert found.pop("bad", b"") == (NOISE[: told[0]["bytes"]] if format == "zip" else b"")
    assert found == {"first": NOISE, "last": b"x"}


@every_format
def test_nothing_is_told_where_nothing_failed(format: str, unpack) -> None:
    data, ledger = made(format, Entry("a", [b"x"]), on_error="report")
    assert unpack(format, data) == {"a": b"x"}
    assert ledger.errors == []


@every_format
def test_limit_of_the_whole_ends_the_archive_whatever_the_policy(format: str) -> None:
    with pytest.raises(TooLargeProblem):
        made(format, Entry("a", [b"x" * 11]), limits=Limits(max_bytes=10), on_error="report")


def test_failure_in_a_tar_beyond_what_may_be_put_aside_ends_it() -> None:
    entry = Entry("a", dying(NOISE, Problem("Gone.")), 2 * len(NOISE))
    with pytest.raises(Problem, match="Gone"):
        made("tar", entry, limits=Limits(max_spool=len(NOISE)), on_error="report")


@every_format
def test_manifest_lists_what_is_in_the_archive(format: str, unpack) -> None:
    contents = {"a": b"", "b": b"text", "c": NOISE}
    entries = [Entry(name, [content]) for name, content in contents.items()]
    data, ledger = made(
        format, *entries, Entry("d", dying(b"x", Problem())), manifest=True, on_error="report"
    )
    found = unpack(format, data)
    listed = json.loads(found["_manifest.json"])["entries"]
    assert listed == ledger.entries
    assert [each["name"] for each in listed] == list(contents)
    for each in listed:
        content = found[each["name"]]
        assert each["size"] == len(content)
        assert each["crc32"] == f"{zlib.crc32(content):08x}"
        assert each["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", ["_manifest.json", "_ERRORS.json"])
def test_names_of_what_is_told_are_kept_for_it(name: str) -> None:
    with pytest.raises(InvalidProblem, match="name"):
        made("zip", Entry(name, [b"x"]), manifest=True, on_error="report")
    made("zip", Entry(name, [b"x"]))


PARTS = st.sampled_from(
    [
        "a",
        "A",
        "é",
        "e\u0301",
        "..",
        ".",
        "",
        "con",
        "x.",
        "b ",
        "C:",
        "\\",
        "a\0b",
        "ß",
        "a;1",
        "z" * 16,
    ]
) | st.text(max_size=4)
NAMES = st.lists(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=12)


@pytest.mark.parametrize("format", ["zip", "tar", "ar", "iso"])
@given(names=NAMES, long=st.integers(0, 400))
@settings(max_examples=40, deadline=None)
def test_names_that_were_rewritten_are_names_that_pass(format: str, names, long, unpack) -> None:
    names = [*names, "/" + "ä" * long + ".tar.gz", "C:\\Users\\x"]
    entries = [Entry(name, [str(index).encode()]) for index, name in enumerate(names)]
    data, _ = made(format, *entries, names="rewrite")
    found = unpack(format, data)
    assert sorted(found.values()) == sorted(str(index).encode() for index in range(len(names)))
    assert set(check_names(found, FORMATS[format])) == set(found)


def test_names_that_pass_are_left_as_they_are() -> None:
    names = ["a/b", "ä.txt", ".profile", "文書/x", "a/c"]
    _, ledger = made("zip", *[Entry(name) for name in names], names="rewrite", manifest=True)
    assert [each["name"] for each in ledger.entries] == names


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/abs", "abs"),
        ("C:\\a\\b", "a/b"),
        ("a\0b", "a_b"),
        ("nul.txt", "_nul.txt"),
        ("a. ", "a__"),
        ("..", "_"),
        ("what?", "what_"),
    ],
)
def test_unsafe_name_is_rewritten_to_what_is_like_it(name: str, becomes: str) -> None:
    _, ledger = made("zip", Entry(name), names="rewrite", manifest=True)
    assert [each["name"] for each in ledger.entries] == [becomes]


def test_second_of_a_name_gets_a_number() -> None:
    names = ["a.txt", "A.txt", "a.txt", unicodedata.normalize("NFD", "é"), "é"]
    _, ledger = made("zip", *[Entry(name) for name in names], names="rewrite", manifest=True)
    found = [each["name"] for each in ledger.entries]
    assert found == ["a.txt", "A (2).txt", "a (3).txt", "é", "é (2)"]


LINKS = {
    "b": True,
    "../b": True,
    "..": True,
    "../..": False,
    "../../b": False,
    "b/../../../x": False,
    "/etc/passwd": False,
    "C:x": False,
    "a\0b": False,
}


@pytest.mark.parametrize("target", LINKS)
@pytest.mark.parametrize("format", ["zip", "tar", "7z"])
def test_link_leads_nowhere_outside(format: str, target: str) -> None:
    entry = Entry("folder/link", kind="symlink", target=target)
    if LINKS[target]:
        made(format, entry)
    else:
        with pytest.raises(InvalidProblem) as caught:
            made(format, entry)
        assert list(caught.value.errors) == ["entries.0.target"]


def test_nothing_is_put_below_a_link() -> None:
    with pytest.raises(InvalidProblem):
        made("zip", Entry("a", kind="symlink", target="b"), Entry("a/x", [b""]))


@pytest.mark.parametrize("kind", ["directory", "symlink"])
def test_format_without_folders_and_links_refuses_them(kind: str) -> None:
    with pytest.raises(InvalidProblem) as caught:
        made("ar", Entry("a", kind=kind, target="b"))
    assert list(caught.value.errors) == ["entries.0.kind"]


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("tar", {"passphrase": "x"}),
        ("zip", {"passphrase": "x", "library": True}),
        ("tar", {"library": True}),
        ("tar", {"compression": "small"}),
        ("tar.gz", {"compression": "store"}),
    ],
)
def test_option_that_the_format_does_not_have_is_refused(format: str, options) -> None:
    with pytest.raises(InvalidProblem) as caught:
        build(format, [], Limits(), Options(**options))
    assert set(caught.value.errors) <= set(options)


def test_file_beyond_what_cpio_can_say_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidProblem) as caught:
        made("cpio", Entry("a", [b"x"], 2**32), limits=Limits(max_bytes=2**40))
    assert list(caught.value.errors) == ["entries.0.size"]


def test_mtree_lists_what_the_contents_are() -> None:
    data, _ = made("mtree", Entry("a/b", [NOISE]), Entry("d", kind="directory"))
    assert hashlib.sha256(NOISE).hexdigest().encode() in data
    assert b"./a/b " in data
    assert b"type=dir" in data
