from __future__ import annotations

import json as stdlib
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.media import json
from glassware.problems import MalformedBodyProblem

CONTROLS = "".join(chr(code) for code in range(32) if chr(code) not in "\t\n\r") + "\ufffe\uffff"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS), max_size=9)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
).filter(lambda value: "Infinity" not in stdlib.dumps(value))

#: Texts that are nearly JSON, so that every rule is met.
TOKENS = [
    *'[]{},:"\\',
    *" 01-.e\n\r\t\x00\ufffe\ufeff",
    '"a"',
    '"b":',
    '"\\ud800"',
    '"\\u0001"',
    '"\\b"',
]
TOKENS += [
    "null",
    "true",
    "NaN",
    "-Infinity",
    "1e999",
    "9" * 5000,
    '"\\ud83d\\ude00"',
    '"é"',
    "[[",
    "]]",
]


def spliced(value: object, token: str, at: int) -> str:
    text = stdlib.dumps(value)
    return text[:at] + token + text[at:]


NEARLY = st.lists(st.sampled_from(TOKENS), max_size=12).map("".join) | st.builds(
    spliced, VALUES, st.just("") | st.sampled_from(TOKENS), st.integers(0, 40)
)


def outcome(read, body):
    """Return what came out, as text, for floats and integers must not be taken for each other."""
    try:
        return stdlib.dumps(read(body))
    except MalformedBodyProblem as problem:
        return problem


def detail(body: bytes) -> str:
    problem = outcome(json.loads, body)
    assert isinstance(problem, MalformedBodyProblem), f"accepted: {problem}"
    assert problem.detail
    return problem.detail


@given(VALUES)
def test_what_is_written_is_read_back(value):
    body = json.dumps(value)
    assert json.loads(body) == stdlib.loads(body) == value


@given(NEARLY)
def test_what_is_accepted_means_what_the_standard_library_says(text):
    found = outcome(json.loads, text.encode())
    if not isinstance(found, MalformedBodyProblem):
        assert found == stdlib.dumps(stdlib.loads(text))


@given(NEARLY | VALUES.map(stdlib.dumps))
def test_quick_reading_and_careful_reading_agree(text):
    quick, careful = outcome(json.loads, text.encode()), outcome(json.loads_slowly, text)
    if isinstance(quick, MalformedBodyProblem) and not text.startswith("\ufeff"):
        assert quick.detail == careful.detail
    elif not text.startswith("\ufeff"):
        assert quick == careful


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body):
    outcome(json.loads, body)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "Line 1, column 1"),
        (b'{"a": 1,\n "b": }', "Line 2, column 7"),
        (b'{"a":\n "\xff"}', "Line 2, column 3"),
        (b'"\xed\xa0\x80"', "Line 1, column 2"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "Line 1, column 1"),
        (b'{"a": [0, NaN]}', "At a.1"),
        (b"Infinity", "At the root"),
        (b'{"a": {"b": -Infinity}}', "At a.b"),
        (b"[1e999]", "At 0"),
        (b"[1, %s]" % (b"9" * 5000), "At 1"),
        (b'{"a": [{"b": 1, "b": 2}]}', "At a.0: the name 'b'"),
        (b'{"a": 1, "\\u0061": 2}', "the name 'a'"),
        (b'{"a": "\\ud800"}', "At a: the character U+D800"),
        (b'{"a": "\\udc00\\ud800"}', "U+DC00"),
        (b'{"a": ["x\\u0000"]}', "At a.0: the character U+0000"),
        (b'{"a\\u0001": 1}', "U+0001"),
        (b'["\\b"]', "U+0008"),
        (b'["\\f"]', "U+000C"),
        (b'["\\uffff"]', "U+FFFF"),
        ('["\ufffe"]'.encode(), "U+FFFE"),
        (b'["a\x01"]', "Line 1, column 4"),
        (b"{} {}", "Line 1, column 4"),
        (b"{'a': 1}", "Line 1, column 2"),
    ],
)
def test_refusal_says_where(body, where):
    assert where in detail(body)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":', '["\\\\",', '[["]\\"]",'])
@pytest.mark.parametrize("closed", [True, False])
def test_hundred_thousand_levels_are_refused_at_once(opening, closed):
    ends = "".join("]" if bracket == "[" else "}" for bracket in opening if bracket in "[{")
    ends = "]" if opening.count('"]') else ends
    body = opening * 100_000 + "1" + (ends * 100_000 if closed else "")
    assert "Line 1: More than 32 levels" in detail(body.encode())


def test_thirty_two_levels_are_read_and_brackets_in_texts_do_not_count():
    text = '["' + '\\\\", "\\"' + "[{" * 40 + '", "]"]'
    assert json.loads(text.encode()) == stdlib.loads(text)
    deepest = b"[" * 32 + b"]" * 32
    assert json.loads(deepest) == stdlib.loads(deepest)
    longer = b"[[],%s]" % deepest[1:-1]
    assert json.loads(longer) == stdlib.loads(longer)
    assert json.loads(b"[%s]" % b",".join([b"[]"] * 100)) == [[]] * 100
    assert "Line 2" in detail(b'["a",\n' + deepest + b"]")


def test_detail_stays_short_whatever_the_names_are():
    assert len(detail(stdlib.dumps({"n" * 9000: {"m" * 9000: "\x01"}}).encode())) < 250
    assert len(detail(b'{"%s": 1, "%s": 2}' % (b"n" * 9000, b"n" * 9000))) < 250


def test_values_of_python_become_texts():
    value = {
        "at": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "there": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
        "on": date(2026, 1, 2),
        "id": UUID(int=1),
        "pair": ("é", 1),
    }
    assert json.dumps(value).decode() == (
        '{"at":"2026-01-02T03:04:05.000678Z","there":"2026-01-02T01:04:05Z","on":"2026-01-02",'
        '"id":"00000000-0000-0000-0000-000000000001","pair":["é",1]}'
    )


@pytest.mark.parametrize("value", [Decimal(1), object(), {1, 2}, b"a", timedelta(1), 1j])
def test_value_without_a_form_is_a_type_error(value):
    with pytest.raises(TypeError):
        json.dumps({"a": value})


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), datetime(2026, 1, 1)])  # noqa: DTZ001
def test_value_that_would_mislead_is_a_value_error(value):
    with pytest.raises(ValueError, match=r"offset|compliant"):
        json.dumps([value])


def test_lone_surrogate_is_replaced():
    assert json.dumps({"a\ud800": "\udcff😀"}) == '{"a\ufffd":"\ufffd😀"}'.encode()
