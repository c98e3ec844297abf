"""Names that pass are safe wherever they are unpacked."""

from __future__ import annotations

import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.problems import InvalidProblem
from glassware_archives.domain import FORMATS, Entry, Limits, build, check_names, names

REFUSED = {
    "": "empty",
    "/etc/passwd": "begin",
    "a/": "end",
    "a//b": "'//'",
    ".": "dot",
    "..": "dot",
    "../evil": "dot",
    "a/../../evil": "dot",
    "a/./b": "dot",
    "a.": "dot",
    "a /b": "space",
    "C:/a": "any of",
    "C:a": "any of",
    "a.txt:stream": "any of",
    "..\\evil": "any of",
    "a*": "any of",
    "what?": "any of",
    "a\0.txt": "control",
    "a\nb": "control",
    "a\x7f": "control",
    "a\x9b": "control",
    "cod\u202egpj.exe": "direction",
    "a\ud800": "control",
    "NUL": "device",
    "nul.txt": "device",
    "a/Con .tar.gz": "device",
    "COM1": "device",
    "lpt².txt": "device",
    "ä" * 128: "255 bytes",
    "/".join(["a" * 250] * 5): "1024 bytes",
    "/".join("a" * 33): "32 parts",
}

ACCEPTED = [
    "a",
    ".profile",
    "b/c/d.tar.gz",
    "...a",
    " leading space",
    "-rf",
    "~",
    "null",
    "console.log",
    "COM10",
    "ä" * 127,
    "文書/日本語.txt",
    "👩‍🚀.png",
    "a%2e%2e%2fb",
    "$(reboot)",
    "/".join("z" * 32),
]

CLASHES = [
    ("a", "a"),
    ("a", "A"),
    ("é", "e\u0301"),
    ("É", "e\u0301"),
    ("Straße", "STRASSE"),
    ("a", "a/b"),
    ("a/b", "a"),
    ("A/b/c", "a/B"),
    ("\u1fc3", "\u03b7\u03b9"),
]


@pytest.mark.parametrize("name", REFUSED)
def test_name_that_is_unsafe_somewhere_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(InvalidProblem) as caught:
        check_names(["good", name])
    (messages,) = (caught.value.errors or {}).values()
    assert list(caught.value.errors or {}) == ["entries.1.name"]
    assert any(REFUSED[name] in message for message in messages)


def test_names_that_are_only_unusual_pass() -> None:
    assert check_names(ACCEPTED) == ACCEPTED


@pytest.mark.parametrize(("one", "other"), CLASHES)
def test_names_that_overwrite_each_other_somewhere_are_refused(one: str, other: str) -> None:
    with pytest.raises(InvalidProblem) as caught:
        check_names(["x", one, "y", other])
    assert list(caught.value.errors or {}) == ["entries.3.name"]


def test_a_semicolon_is_refused_where_a_reader_would_see_another_character() -> None:
    iso = FORMATS["iso"]
    with pytest.raises(InvalidProblem) as refused:
        check_names(["a;b/c.txt"], iso)
    assert "No ;" in str(refused.value.errors)
    assert names.Names(iso, rewrite=True).add(0, "a;b/c.txt") == "a_b/c.txt"
    assert check_names(["a;b/c.txt"], FORMATS["zip"]) == ["a;b/c.txt"]


@pytest.mark.parametrize("name", ["b" * 16, "__.SYMDEF", "é" * 8, "a.b" + "c" * 13])
def test_ar_has_no_name_that_its_readers_cut_or_take_for_a_table(name: str) -> None:
    ar = FORMATS["ar"]
    for plain in ("a", name + "x", name[:-1], f"{name[:3]} {name[4:]}"):
        assert check_names([plain], ar) == [plain]
    with pytest.raises(InvalidProblem) as caught:
        check_names(["a", name], ar)
    assert caught.value.errors == {"entries.1.name": [ar.misreading]}
    assert check_names([name]) == [name]
    assert names.Names(ar, rewrite=True).add(0, f"folder/{name}") == name + "_"


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidProblem) as caught:
        check_names(["a", "../con ", "b", "A"])
    errors = caught.value.errors or {}
    assert list(errors) == ["entries.1.name", "entries.3.name"]
    assert "entry 0" in errors["entries.3.name"][0]


def test_folders_are_shared() -> None:
    names = ["a/b/c", "a/b/d", "a/e", "f", "A/g"]
    assert check_names(names) == names


def test_name_is_normalised_to_nfc() -> None:
    assert check_names(["e\u0301/a\u0308"]) == ["é/ä"]


PARTS = st.sampled_from(
    ["a", "A", "é", "e\u0301", "..", ".", "", "con", "x.", "b ", "C:", "\\", "ß", "ss", "ﬁ", "İ"]
) | st.text(max_size=5)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def accepted(names: list[str]) -> list[str]:
    """Return those of the names that may be in one archive, in order."""
    good: list[str] = []
    for name in names:
        try:
            good = check_names([*good, name])
        except InvalidProblem:
            continue
    return good


def by_zipfile(path: Path, target: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(target)


def by_tarfile(path: Path, target: Path) -> None:
    with tarfile.open(path) as archive:
        archive.extraction_filter = lambda member, _: member  # names are what is tested
        archive.extractall(target)


@pytest.mark.parametrize(("format", "extract"), [("zip", by_zipfile), ("tar", by_tarfile)])
@given(names=st.lists(NAMES, max_size=8))
@settings(max_examples=60, deadline=None)
def test_whatever_passes_is_unpacked_under_its_name_inside_the_target(
    format: str, extract: Callable[[Path, Path], None], names: list[str]
) -> None:
    good = accepted(names)
    entries = [Entry(name, [name.encode()]) for name in good]
    with TemporaryDirectory() as folder:
        target = Path(folder, "outer", "target")
        target.mkdir(parents=True)
        path = Path(folder, "archive")
        path.write_bytes(b"".join(build(format, entries, Limits())))
        extract(path, target)
        found = {
            str(p.relative_to(folder)): p.read_text()
            for p in Path(folder, "outer").rglob("*")
            if p.is_file()
        }
    assert found == {f"outer/target/{name}": name for name in good}


@given(names=st.lists(NAMES, max_size=20))
@settings(max_examples=60, deadline=None)
def test_whatever_passes_stays_distinct_where_case_and_normal_form_do_not_count(names) -> None:
    good = accepted(names)
    for form in ("NFC", "NFD"):
        assert len({unicodedata.normalize(form, name).casefold() for name in good}) == len(good)
        assert len({unicodedata.normalize(form, name).lower() for name in good}) == len(good)


@given(
    name=st.text("aB9_-./:;COMNUL1 \0é", max_size=40) | st.from_regex(names.PLAIN, fullmatch=True)
)
@settings(max_examples=300, deadline=None)
def test_name_that_needs_no_second_look_passes_the_second_look(name: str) -> None:
    assert not names.is_plain(name) or names.faults_of(name) == []


class Forgetful(names.Names):
    """Names that look at each one as if no other had been in its folder."""

    def add(self, index: int, name: str, directory: bool = False) -> str:
        self._folder = "\0"
        return super().add(index, name, directory)


FOLDERS = st.sampled_from(["", "a/", "A/", "a/b/", "nul/", "é/", "e\u0301/", "/", "x" * 300 + "/"])
PARTS = st.sampled_from(
    ["a", "A", "b.txt", "é", "CON", "x.", "", "..", "_errors.json", "y" * 64, "z" * 16]
)
PLACES = st.builds("".join, st.tuples(FOLDERS, PARTS))


@given(
    places=st.lists(st.tuples(PLACES, st.booleans()), max_size=30),
    rewrite=st.booleans(),
    kind=st.sampled_from([None, "zip", "ar", "iso"]),
)
@settings(max_examples=300, deadline=None)
def test_names_that_share_a_folder_are_held_to_the_same_rules(places, rewrite, kind) -> None:
    def told(known: names.Names) -> list[object]:
        known.reserve(["_errors.json"])
        found: list[object] = []
        for index, (name, directory) in enumerate(places):
            try:
                found.append(known.add(index, name, directory))
            except InvalidProblem as problem:
                found.append(problem.errors)
        return found

    form = FORMATS[kind] if kind else None
    assert told(names.Names(form, rewrite)) == told(Forgetful(form, rewrite))
