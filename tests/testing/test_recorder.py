"""Whatever way a member of an answer is read, it is noted; and reading is all that changes."""

from __future__ import annotations

import copy
import json as stdlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.media import json, xml
from glassware.testing.recorder import joined, kind_of, watched

DOCUMENT = {"name": "a", "none": None, "place": {"city": "b", "street": "c"}, "rows": [{"n": 1}]}
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)
EVERYTHING = {"/name", "/none", "/place", "/place/city", "/place/street", "/rows", "/rows/*/n"}


def read(reader: Callable[[Any], object], document: Any = DOCUMENT) -> set[str]:
    """Return the paths that the reader reads."""
    paths: set[str] = set()
    reader(watched(document, "", lambda path, _value: paths.add(path)))
    return paths


def matched(document: Any) -> object:
    match document:
        case {"place": {"city": city}}:
            return city
    return None


@pytest.mark.parametrize(
    ("reader", "paths"),
    [
        (lambda d: d["name"], {"/name"}),
        (lambda d: d.get("name"), {"/name"}),
        (lambda d: d.get("other", d), set()),
        (lambda d: "name" in d, {"/name"}),
        (lambda d: "other" in d, set()),
        (lambda d: d.pop("name"), {"/name"}),
        (lambda d: d.setdefault("name", 1), {"/name"}),
        (lambda d: d["place"]["city"], {"/place", "/place/city"}),
        (lambda d: [row["n"] for row in d["rows"]], {"/rows", "/rows/*/n"}),
        (matched, {"/place", "/place/city"}),
        (lambda d: {**d["place"]}, {"/place", "/place/city", "/place/street"}),
        (list, set()),
        (len, set()),
        (bool, set()),
    ],
)
def test_what_is_read_is_noted_and_nothing_else(
    reader: Callable[[Any], object], paths: set[str]
) -> None:
    assert read(reader) == paths


@pytest.mark.parametrize(
    "reader",
    [
        json.dumps,
        stdlib.dumps,
        xml.dumps,
        copy.deepcopy,
    ],
)
def test_who_takes_all_reads_all(reader: Callable[[Any], object]) -> None:
    assert read(reader) == EVERYTHING


@pytest.mark.parametrize(
    "reader",
    [
        dict,
        lambda d: {**d},
        lambda d: d.copy(),
        lambda d: [*d.items()],
        lambda d: [*d.values()],
        lambda d: d | {},
    ],
)
def test_a_copy_reads_what_it_holds(reader: Callable[[Any], object]) -> None:
    assert read(reader) >= {"/name", "/none", "/place", "/rows"}


@given(TREES)
def test_a_watched_document_is_what_it_was(document: Any) -> None:
    seen = watched(document, "", lambda _path, _value: None)
    assert seen == document
    assert json.dumps(seen) == json.dumps(document)
    assert type(seen) is type(document) or isinstance(seen, dict)


def test_kinds_are_those_of_json() -> None:
    kinds = [kind_of(each) for each in ({}, [], "", True, 1, 1.5, None)]
    assert kinds == ["object", "array", "string", "boolean", "number", "number", "null"]
    assert joined("string", "", "null|string") == "null|string"
