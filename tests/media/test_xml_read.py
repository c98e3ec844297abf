from __future__ import annotations

import contextlib
import gc
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields

from glassware.media import xml
from glassware.problems import MalformedBodyProblem


class Person(Schema):
    name = fields.String(required=True)
    age = fields.Integer(allow_none=True)


class Task(Schema):
    id = fields.UUID(dump_only=True)
    version = fields.Integer(dump_only=True)
    title = fields.String(required=True)
    due = fields.Date(allow_none=True, data_key="due-on")
    done = fields.Boolean()
    hours = fields.Float()
    pause = fields.TimeDelta()
    price = fields.Decimal(as_string=True)
    person = fields.Nested(Person)
    watchers = fields.Nested(Person, many=True)
    labels = fields.List(fields.String())
    grid = fields.List(fields.List(fields.Integer()))
    notes = fields.Dict(values=fields.String())
    parent = fields.Nested(lambda: Task())


def read(content: str, schema: Schema | None = None) -> object:
    return xml.loads(f"<task>{content}</task>".encode(), schema or Task())


def detail(body: bytes, schema: Schema | None = None) -> str:
    with pytest.raises(MalformedBodyProblem) as caught:
        xml.loads(body, schema)
    assert caught.value.detail
    return caught.value.detail


TOKENS = [
    "<a>",
    "</a>",
    "<a",
    ">",
    "/>",
    "<b/>",
    "</",
    "<title>",
    "</title>",
    "<key name='x'>",
    "</key>",
]
TOKENS += [
    "&amp;",
    "&#1;",
    "&#xD800;",
    "&#xFFFE;",
    "&x;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?p ?>",
]
TOKENS += [
    "<!DOCTYPE a>",
    '<?xml version="1.0"?>',
    " xmlns='u'",
    " type='str'",
    " id='1'",
    "5",
    "\x00",
    "é",
]
TOKENS += [
    "<x:a/>",
    " xmlns:x='u'",
    "\r\n",
    "<labels>",
    "</labels>",
    "<person>",
    "</person>",
    "\ufeff",
]


@given(
    st.lists(st.sampled_from(TOKENS), max_size=12).map(lambda parts: "".join(parts).encode())
    | st.lists(st.sampled_from(TOKENS)).map(lambda parts: f"<a>{''.join(parts)}</a>".encode())
    | st.binary(max_size=60),
    st.sampled_from([None, Task(), Task(many=True)]),
)
def test_any_bytes_are_read_or_refused(body, schema):
    with contextlib.suppress(MalformedBodyProblem):
        xml.loads(body, schema)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "no element found"),
        (b"{}", "Line 1, column 1"),
        (b"<a>\n  <b></a>", "Line 2, column 8"),
        (b"<a>\xff</a>", "Line 1, column 4: this is not UTF-8"),
        ("<a/>".encode("utf-16"), "not UTF-8"),
        (b'<?xml version="1.0" encoding="utf-16"?><a/>', "only UTF-8"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xc3\xa9</a>', "only UTF-8"),
        (b"<!DOCTYPE a><a/>", "DOCTYPE"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "DOCTYPE"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DOCTYPE"),
        (b"<a>&x;</a>", "undefined entity"),
        (b"<a>&#0;</a>", "Line 1, column 4"),
        (b"<a>\x0b</a>", "Line 1, column 4"),
        (b"<a>&#xD800;</a>", "Line 1, column 4"),
        ("<a>\uffff</a>".encode(), "Line 1, column 4"),
        (b"<key name='&#1;'/>", "Line 1"),
        (b"<a xmlns='urn:x'/>", "<a> must be in no namespace"),
        (b"<a><x:b xmlns:x='urn:x'/></a>", "<b> must be in no namespace"),
        (b"<x:a/>", "unbound prefix"),
        (b"<a><b id='1'/></a>", "Line 1, column 4: <b> has attributes"),
        (b"<a name='x'/>", "<a> has attributes"),
        (b"<a xml:lang='en'/>", "<a> has attributes"),
        (b"<a>text<b/></a>", "<a> has text beside its elements"),
        ("<a>\xa0<b/></a>".encode(), "<a> has text beside its elements"),
        (b"<a><title/>\n<done/><title/></a>", "Line 2, column 8: <title> occurs twice"),
        (b"<a><notes><x/><x/></notes></a>", "<x> occurs twice"),
        (b"<a><person><name/><name/></person></a>", "<name> occurs twice"),
        (b"<a><other><x/><y/><x/></other></a>", "<x> occurs twice"),
        (b"<a/><b/>", "junk after document element"),
    ],
)
def test_refusal_says_where_and_what(body, fault):
    assert fault in detail(body, Task())


@pytest.mark.parametrize("closed", [True, False])
def test_hundred_thousand_levels_are_refused_at_once(closed):
    body = b"<a>" * 100_000 + (b"</a>" * 100_000 if closed else b"")
    assert "levels" in detail(body)


def test_as_many_levels_are_read_as_in_json():
    document: object = "x"
    for _ in range(32):
        document = {"a": document}
    assert xml.loads(xml.dumps(document)) == document
    assert "levels" in detail(xml.dumps({"a": document}))


def test_elements_are_bounded_and_read_in_linear_time():
    started = time.process_time()
    labels = "<labels>%s</labels>"
    most = read(labels % ("  <i/>\n" * 99_998))
    assert most == {"labels": [""] * 99_998}
    assert "100000 elements" in detail(b"<a>%s</a>" % (b"<i/>" * 100_000))
    read(labels % f"<i>{'a<!---->' * 100_000}</i>")
    assert time.process_time() - started < 10


@pytest.mark.parametrize("body", [b"<a><b>x</b></a>", b"<a><b>x</b>", b"<a b='c'/>"])
def test_tree_does_not_wait_for_the_garbage_collector(body):
    schema = Task()
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(MalformedBodyProblem):
            xml.loads(body, schema)
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf<a>x</a>",
        b'<?xml version="1.0" encoding="utf-8" standalone="yes"?><a>x</a>',
        b"<!-- hello --><?style sheet?><a><!-- a -->x<!-- b --></a>",
        b"<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>x</a>",
        b"<a type='str'>x</a>",
        b"<a><![CDATA[x]]></a>",
        b"<a>&#120;</a>",
    ],
)
def test_harmless_forms_are_read(body):
    assert xml.loads(body) == "x"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", {}),
        ("\n  <title>a</title>\n  <done>true</done>\n", {"title": "a", "done": True}),
        ("<title> a\tb\r\nc &#13; </title>", {"title": " a\tb\nc \r "}),
        ("<title/><done/><due-on/>", {"title": "", "done": "", "due-on": None}),
        ("<title>5</title><version>5</version>", {"title": "5", "version": 5}),
        ("<hours>5</hours><pause>60</pause>", {"hours": 5, "pause": 60}),
        ("<hours>-1.5e3</hours>", {"hours": -1500.0}),
        ("<hours>1e999</hours>", {"hours": "1e999"}),
        ("<hours> 5</hours><done>True</done>", {"hours": " 5", "done": "True"}),
        ("<hours>٣</hours><version>+1</version>", {"hours": "٣", "version": "+1"}),
        (f"<version>{'9' * 5000}</version>", {"version": "9" * 5000}),
        ("<price>1.10</price>", {"price": "1.10"}),
        ("<labels/>", {"labels": []}),
        ("<labels>\n</labels>", {"labels": []}),
        ("<labels><a>1</a><b/></labels>", {"labels": ["1", ""]}),
        ("<labels>red</labels>", {"labels": "red"}),
        ("<labels>\xa0</labels>", {"labels": "\xa0"}),
        ("<grid><r><c>1</c></r><r/></grid>", {"grid": [[1], []]}),
        ("<person><age/></person>", {"person": {"age": None}}),
        ("<person/>", {"person": {}}),
        ("<person>Ann</person>", {"person": "Ann"}),
        ("<watchers><w><age>4</age></w><w/></watchers>", {"watchers": [{"age": 4}, {}]}),
        (
            "<parent><parent><done>false</done></parent></parent>",
            {"parent": {"parent": {"done": False}}},
        ),
        ("<notes><key name='a b'>1</key><key>2</key></notes>", {"notes": {"a b": "1", "key": "2"}}),
        ("<title><b>x</b></title>", {"title": {"b": "x"}}),
        ("<version><b>5</b></version>", {"version": {"b": "5"}}),
        ("<other>1</other>", {"other": "1"}),
        ("<other><a>1</a><b/></other>", {"other": {"a": "1", "b": ""}}),
        ("<other><a>1</a><a>2</a></other>", {"other": ["1", "2"]}),
        ("Ann", "Ann"),
    ],
)
def test_schema_gives_shapes_and_types(content, expected):
    found = read(content)
    assert found == expected
    assert repr(found) == repr(expected), "equal, but of another type"


def test_schema_of_many_reads_a_list():
    assert read("<t><title>a</title></t><x/>", Task(many=True)) == [{"title": "a"}, {}]
    assert read("", Task(many=True)) == []


def test_field_to_load_goes_before_a_field_to_dump_of_the_same_name():
    schema = Schema.from_dict(
        {
            "given": fields.Integer(load_only=True, data_key="n"),
            "shown": fields.String(dump_only=True, data_key="n"),
        }
    )()
    assert read("<n>5</n>", schema) == {"n": 5}


@pytest.mark.parametrize(
    ("content", "errors"),
    [
        ("<title>a</title><hours>soon</hours>", {"hours": ["Not a valid number."]}),
        ("<title>a</title><labels>red</labels>", {"labels": ["Not a valid list."]}),
        ("<title>a</title><person>Ann</person>", {"person": {"_schema": ["Invalid input type."]}}),
        ("<title>a</title><done>maybe</done>", {"done": ["Not a valid boolean."]}),
        ("<title><b/></title>", {"title": ["Not a valid string."]}),
        (
            "<titel>a</titel>",
            {"title": ["Missing data for required field."], "titel": ["Unknown field."]},
        ),
        ("just text", {"_schema": ["Invalid input type."]}),
    ],
)
def test_schema_words_the_errors(content, errors):
    with pytest.raises(ValidationError) as caught:
        Task().load(read(content))
    assert caught.value.messages == errors
