"""The wire format is dicttoxml's, byte for byte, but where dicttoxml is wrong:

- booleans in a list are ``True`` and ``False`` (elsewhere ``true`` and ``false``);
- characters that XML 1.0 cannot carry go out as they are, and the document is not well-formed;
- so do lone surrogates, which end in a UnicodeEncodeError;
- a carriage return is not escaped, and read as a line feed;
- so is a tab or a line feed in a name, and read as a blank;
- ``1``, ``1.0`` and ``n1`` are one name, as are ``a b`` and ``a_b``: the one in the place of the
  other, and twice when both are there;
- a name of digits that are not ASCII (``²``) becomes an element that is not well-formed;
- ``a\\n`` passes for a name, and ends as ``a``; ``xml:a`` passes, in a namespace of its own;
- str subclasses (StrEnum, Markup) become lists of characters, and other things objects of theirs.

There the name goes into the attribute of ``<key name="a b">``, as dicttoxml does with other names,
and the character is escaped, or replaced where it cannot be.
"""

from __future__ import annotations

import json as stdlib
import logging
import logging.config
from datetime import UTC, datetime
from enum import Enum, StrEnum
from uuid import UUID
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from glassware.media import json, xml
from glassware.media.xml import write

CONTROLS = "".join(chr(code) for code in range(32) if chr(code) not in "\t\n") + "\ufffe\uffff"
CARRIED = st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS)
TEXTS = st.text(CARRIED, max_size=12) | st.text(st.sampled_from("<>&'\"]! ab"), max_size=12)


def is_right(name: str) -> bool:
    """Tell whether dicttoxml's way with the name is reversible."""
    try:
        return float(name) is None
    except ValueError:
        blank = any(space in name for space in " \t\r\n")
        return not (blank or name.isdigit() or name.startswith("xml:"))


NAMES = st.sampled_from(["tasks", "entries", "s", "ies", "key", "due_on", "a-b.c", "é", "x" * 200])
NAMES |= (st.text(CARRIED, max_size=6) | st.text(st.sampled_from("ab:.-1 <&'\""))).filter(is_right)
SCALARS = st.none() | st.integers() | TEXTS | st.floats(allow_nan=False, allow_infinity=False)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES, inner | st.booleans(), max_size=5)
        | st.dictionaries(NAMES, st.lists(inner, max_size=4), max_size=3)
    ),
    max_leaves=10,
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(DOCUMENTS, st.sampled_from(["response", "tasks", "s"]))
def test_writes_what_dicttoxml_writes(document, root):
    assert xml.dumps(document, root) == xml.reference(document, root)


@given(ANYTHING)
def test_is_well_formed_whatever_comes(document):
    assert ElementTree.fromstring(xml.dumps(document)).tag == "response"


@pytest.mark.parametrize(
    ("document", "wrong", "right"),
    [
        ([True], "<item>True</item>", "<item>true</item>"),
        ({"a": "\x01"}, "<a>\ufffd</a>", "<a>\ufffd</a>"),
        ({"a": "\r\n"}, "<a>\r\n</a>", "<a>&#13;\n</a>"),
        ({"!\t\n": 1}, '<key name="!\t\n">1</key>', '<key name="!&#9;&#10;">1</key>'),
        ({"1": 1}, "<n1>1</n1>", '<key name="1">1</key>'),
        ({"1e0": 1}, "<n1.0>1</n1.0>", '<key name="1e0">1</key>'),
        ({"a b": 1}, "<a_b>1</a_b>", '<key name="a b">1</key>'),
        ({"²": {}}, "<n²></n²>", '<key name="²"></key>'),
        ({"a\n": 1}, "<a\n>1</a\n>", '<key name="a&#10;">1</key>'),
        ({"xml:a": 1}, "<xml:a>1</xml:a>", '<key name="xml:a">1</key>'),
    ],
)
def test_loses_nothing_where_dicttoxml_does(document, wrong, right):
    frame = f"{write.DECLARATION}<response>%s</response>"
    assert xml.reference(document).decode() == frame % wrong
    assert xml.dumps(document).decode() == frame % right


def test_lists_take_their_items_name_from_their_own():
    document = {"tasks": [1], "entries": [2], "data": [3], "s": [4], "a!s": [5], "rows": [[6]]}
    assert xml.dumps(document).decode() == (
        '<?xml version="1.0" encoding="UTF-8" ?><response><tasks><task>1</task></tasks>'
        "<entries><entry>2</entry></entries><data><item>3</item></data><s><item>4</item></s>"
        '<key name="a!s"><item>5</item></key><rows><row ><item>6</item></row></rows></response>'
    )


class Colour(StrEnum):
    RED = "<red>"


class Shade(str, Enum):  # noqa: UP042
    DARK = "dark"


class Level(int, Enum):
    LOW = 1


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC).date(),
        UUID(int=1),
        Colour.RED,
        Shade.DARK,
        Level.LOW,
        Markup("<b>&amp;</b>"),
        ({"a": (1,)},),
        -0.0,
        1e22,
    ],
)
def test_values_of_python_are_written_as_in_json(value):
    document = {"a": value, "b": [value]}
    assert xml.dumps(document) == xml.dumps(stdlib.loads(json.dumps(document)))
    assert xml.dumps(value) == xml.dumps(stdlib.loads(json.dumps(value)))


@pytest.mark.parametrize("name", [1, True, None, 1.5, Colour.RED, Shade.DARK, Markup("<b>")])
def test_names_that_are_no_texts_are_written_as_in_json(name):
    assert xml.dumps({name: 1}) == xml.dumps(stdlib.loads(json.dumps({name: 1})))


@pytest.mark.parametrize("value", [object(), {1}, b"a", 1j, float("nan"), float("inf"), {(): 1}])
def test_what_json_refuses_is_refused_alike(value):
    with pytest.raises((TypeError, ValueError)) as from_json:
        json.dumps({"a": [value]})
    with pytest.raises(from_json.type):
        xml.dumps({"a": [value]})


def test_long_names_are_not_remembered():
    write.remembered.cache_clear()
    for number in range(50):
        xml.dumps({f"{number}{'x' * 200}": 1, "y" * 200: 2})
    assert write.remembered.cache_info().currsize == 1, "only the root's name"


def test_dicttoxml_never_logs_the_payload(caplog):
    xml.reference({})
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "loggers": {"dicttoxml": {"level": "DEBUG", "propagate": True}},
        }
    )
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("dicttoxml").setLevel(logging.DEBUG)
        logging.getLogger("dicttoxml").info("hunter2")
        xml.reference({"password": "hunter2"})
    assert "hunter2" not in caplog.text
