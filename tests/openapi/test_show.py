"""Names and values, as people read them."""

from __future__ import annotations

import pytest

from glassware.openapi import show


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TaskList", "Tasks"),
        ("OpenEntryList", "Open entries"),
        ("DayList", "Days"),
        ("Task", "Task"),
    ],
)
def test_a_class_is_named_in_words(name: str, words: str) -> None:
    assert show.title(name) == words


def test_a_long_url_keeps_what_tells_it_apart() -> None:
    url = "http://127.0.0.1:7001/users/01994a2b-7c3d-7e4f-8a5b-6c7d8e9f0a1b"
    assert show.short(url) == "/users/0199…0a1b"
    assert show.short(f"{url}?a=1") == "/users/0199…0a1b?…"
    assert show.short("https://example.org/") == "example.org"


def test_a_moment_is_read_in_utc_and_edited_as_it_is() -> None:
    assert show.moment("2026-12-01T09:30:12.345678Z") == "2026-12-01 09:30 UTC"
    assert show.local("2026-12-01T09:30:12.345678Z") == "2026-12-01T09:30:12"
    assert show.local(None) == ""


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        ({"type": "string"}, "text"),
        ({}, "text"),
        ({"type": ["string", "null"], "format": "date-time"}, "instant"),
        ({"type": ["integer", "null"]}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "array"}, "json"),
        ({"$ref": "#/components/schemas/Entry", "type": "object"}, "json"),
        ({"anyOf": [{"$ref": "#/components/schemas/Entry"}, {"type": "null"}]}, "json"),
    ],
)
def test_a_member_is_edited_by_its_type(node: show.Node, kind: str) -> None:
    assert show.kind(node) == kind
