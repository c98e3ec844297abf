"""No canary gets through, and ordinary data do."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import make_dataclass
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassware.observe.logging import event
from glassware.observe.scrub import _PATTERNS, MASK, Scrubber, _suspect, sensitive

MARK = "Zq9"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
PRINTABLE = LETTERS + " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~äß\u2028\n\t"
#: A secret, marked at both ends so that no end of it can be left behind.
CANARIES = st.text(LETTERS + "-_", min_size=4, max_size=30).map(f"{MARK}{{}}{MARK}".format)
ODD_CANARIES = st.text(PRINTABLE, max_size=30).map(f"{MARK}{{}}{MARK}".format)

KEYS = st.sampled_from(
    [
        *(
            "password",
            "Password",
            "db_password",
            "PASSWD",
            "token",
            "access_token",
            "refresh-token",
        ),
        *("client_secret", "clientSecret", "aws_secret_access_key", "private_key", "credentials"),
        *("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-API-Key", "api_key"),
        *("code_verifier", "client_assertion", "session_id", b"token"),
    ]
)


def nested(value):
    """What a sensitive key may hold: the secret itself, or anything with the secret in it."""
    return st.sampled_from(
        [
            value,
            [value],
            {"is": value},
            ("x", value),
            {value: 1},
            {"a": [{"b": value}]},
            value.encode(),
        ]
    )


def pem(body):
    return f"-----BEGIN EC PRIVATE KEY-----\n{body}\n{body}\n-----END EC PRIVATE KEY-----"


#: How a secret looks in text, recognised by no more than its looks.
SHAPES = st.sampled_from(
    [
        "Bearer {}",
        "sent bearer  {}, and more",
        "Basic dXNlcjpw{}",
        "Authorization: Digest username={}, nonce={}",
        "GET / HTTP/1.1\r\nCookie: a={}; b={}\r\nHost: x",
        "X-Api-Key: {}",
        "set-cookie:sid={}; HttpOnly",
        "eyJhbGciOiJFUzI1NiJ9.eyJ{}.{}",
        "postgresql+psycopg://tasks:{}@db/tasks",
        "redis://:{}@cache:6379/0?x=1",
        "see https://u:{}@h/ and https://v:{}@h/",
        "?access_token={}&x=1",
        "password={}",
        "password='{}'",
        'Login(user="x", password="{} {}", age=3)',
        "{{'client_secret': '{}', 'a': 1}}",
        '{{"a": 1, "refresh_token" : "{}"}}',
        '"{{\\"api_key\\": \\"{} {}\\"}}"',
        "{{'password': ['{}', '{}']}}",
        "{{'token': b'{} {}'}}",
        "Headers([('Host', 'x'), ('Cookie', 'a={}; b={}')])",
        "Settings(secret=SecretStr('{}'))",
    ]
)


@st.composite
def carriers(draw):
    """Data with one secret in it: under a key, or in text by its looks."""
    canary = draw(CANARIES)
    if draw(st.booleans()):
        key = draw(KEYS)
        return draw(
            st.sampled_from(
                [{key: draw(nested(canary))}, [(key, canary)], {"headers": ((key, canary),)}]
            )
        )
    if draw(st.integers(0, 5)) == 0:
        return {"key": f"before {pem(canary)} after"[: draw(st.integers(60, 200))]}
    text = draw(SHAPES).format(canary, canary)
    return draw(
        st.sampled_from([text, {"x": text}, {text: 1}, [text], text.encode(), Exception(text)])
    )


PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.text(LETTERS, max_size=5))


def around(data):
    """Structures of any shape that have the data somewhere inside."""
    return st.recursive(
        data,
        lambda inner: st.one_of(
            st.tuples(PLAIN, inner),
            st.builds(
                lambda before, part, after: [*before, part, *after],
                st.lists(PLAIN, max_size=2),
                inner,
                st.lists(PLAIN, max_size=2),
            ),
            st.builds(
                lambda name, part: {"first": 1, name: part}, st.text(LETTERS, max_size=5), inner
            ),
        ),
        max_leaves=4,
    )


def cause(text):
    try:
        try:
            raise KeyError(text)
        except KeyError as error:
            raise ValueError(f"because of {text}") from error
    except ValueError as error:
        return error


@given(data=around(carriers()))
def test_no_secret_gets_into_a_line_by_its_fields(new_log, data):
    log = new_log()
    event(log, "happened", data=data)
    assert MARK not in log.text
    assert len(log.lines) == 1


@given(data=carriers())
def test_no_secret_gets_into_a_line_by_its_message(new_log, data):
    log = new_log()
    log.info("got %s", data)
    log.info("got %s and %d", data, 1)
    log.info("got %d", data)
    log.info("got %(password)s %(x)s", {"password": "Zq9", "x": data})
    log.info(data)
    assert MARK not in log.text
    assert len(log.lines) == 5


@given(canary=CANARIES, shape=SHAPES)
def test_no_secret_gets_into_a_line_by_an_exception(new_log, canary, shape):
    log = new_log()
    log.error("failed", exc_info=cause(shape.format(canary, canary)))
    (line,) = log.lines
    assert MARK not in log.text
    assert line["exception"]["type"] == "ValueError"
    assert "KeyError" in line["exception"]["stack"]


@given(canaries=st.lists(ODD_CANARIES, min_size=1, max_size=3, unique=True), data=st.data())
def test_no_registered_value_gets_into_a_line(new_log, canaries, data):
    log = new_log()
    log.scrubber.register(*canaries)
    canary = data.draw(st.sampled_from(canaries))
    whole = data.draw(
        st.sampled_from(
            [canary, f"in {canary} text", {canary: 1}, [canary], canary.encode(), KeyError(canary)]
        )
    )
    log.info("got %s", whole)
    log.info(f"got {canary} {canary!r} {json.dumps(canary)} {[canary]}")
    log.info(f"at /{quote(canary)} ?x={quote(canary, safe='')}&y={quote_plus(canary)}")
    log.error("failed", exc_info=cause(canary))
    event(log, "happened", data=data.draw(around(st.just(whole))))
    assert MARK not in log.text


PIECES = ["eyJ", "a" * 9, ".", "-", "x-", "key", "token", "Cookie", "ſecret", ":", "=", " ", "//"]
PIECES += [
    "authorization",
    "Bearer",
    "baSic",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "@",
    "'",
    '"',
    ",",
]


@given(text=st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_where_no_mark_stands_no_pattern_finds_a_secret(text):
    assert _suspect(text) or not any(pattern.search(text) for pattern, _ in _PATTERNS)


ORDINARY = [
    "",
    "a",
    "status",
    "GET",
    "/tasks/1",
    "1234",
    "a b",
    "Bas",
    "ic abcdefghij",
    "é",
    "hunt",
]
HIDDEN = [
    "k=secret",
    "Basic abcdefghij",
    "eyJabcdefghij",
    "my hunter2",
    "12345",
    "baſic abcdefghij",
]
TEXTS = st.sampled_from([*ORDINARY, *ORDINARY, *HIDDEN])
LEAVES = TEXTS | st.none() | st.booleans() | st.sampled_from([1, 123456, 1.5, 2**64, math.inf])
DATA = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.just("token"), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(document=st.dictionaries(TEXTS, DATA, max_size=3))
@settings(max_examples=500)
def test_where_one_look_finds_nothing_there_is_nothing_to_mask(document):
    scrubber = Scrubber()
    scrubber.register("hunter2", "12345")
    if scrubber.holds_nothing(document):
        assert scrubber.value(document) == document


def test_a_registered_number_is_masked_as_a_number_too():
    scrubber = Scrubber()
    scrubber.register("12345678")
    assert scrubber.value([12345678, 1234567]) == [MASK, 1234567]


def test_the_values_of_two_registrations_are_masked_the_longer_first():
    scrubber = Scrubber()
    scrubber.register("abcd")
    scrubber.register("abcdefgh")
    assert scrubber.text("abcdefgh abcd abc") == f"{MASK} {MASK} abc"


def test_a_value_too_short_to_be_told_from_text_is_not_registered():
    scrubber = Scrubber()
    scrubber.register("hunter2")
    scrubber.register("", "abc")
    assert scrubber.text("abc hunter2") == f"abc {MASK}"


SUSPICIOUS = ("bearer", "basic", "eyj", "-----begin", "://", "x-")
ORDINARY_TEXT = st.text().filter(
    lambda text: not sensitive(text) and not any(each in text.lower() for each in SUSPICIOUS)
)
ORDINARY = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63) + 1, 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        ORDINARY_TEXT,
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(ORDINARY_TEXT, inner)),
    max_leaves=12,
)


@given(data=ORDINARY)
def test_ordinary_data_survive_unchanged(new_log, data):
    log = new_log()
    log.scrubber.register("a registered secret")
    event(log, "happened", data=data)
    assert log.lines[0]["data"] == data


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:7001/tasks?title=a@b.example&limit=5",
        "https://user@host/path",
        "sqlite:////var/lib/glassware/tasks/tasks.sqlite",
        "2026-11-20T09:00:00.123456Z",
        'WWW-Authenticate: Bearer realm="tasks", error="invalid_scope"',
        "the token is expired, get another",
        "SELECT id FROM tasks WHERE title = 'x: y' AND done = 0",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "token_issued",
        "1/2 of a basic plan",
        "    token = request.headers['Accept']",
    ],
)
def test_ordinary_text_survives_unchanged(text):
    assert Scrubber().text(text) == text


def test_only_the_secret_part_is_masked():
    scrub = Scrubber().text
    assert scrub("postgresql://tasks:hunter2@db/t?x=1") == f"postgresql://tasks:{MASK}@db/t?x=1"
    assert scrub("?limit=5&access_token=abc&q=d") == f"?limit=5&access_token={MASK}&q=d"
    assert (
        scrub('{"id": 1, "password": "a \\" b", "x": 2}')
        == f'{{"id": 1, "password": {MASK}, "x": 2}}'
    )
    assert scrub("GET /\nCookie: a=b; c=d\nHost: x") == f"GET /\nCookie: {MASK}\nHost: x"


def test_flags_under_a_sensitive_key_are_no_secrets():
    data = {"has_password": True, "token": None, "private": False}
    assert Scrubber().value(data) == data


def test_what_contains_itself_is_cut():
    loop: list[object] = [1]
    loop += [loop, loop]
    assert Scrubber().value({"x": loop}) == {"x": [1, "...", "..."]}


def test_what_appears_twice_is_not_cut():
    part = [1]
    assert Scrubber().value([part, part, [part]]) == [[1], [1], [[1]]]


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no")


def test_any_object_becomes_something_that_json_can_carry():
    point = make_dataclass("Point", ["x", "password"])
    data = [
        Unprintable(),
        float("nan"),
        10**5000,
        {1: 2},
        {3},
        logging.INFO,
        point(1, "hunter2"),
        b"\xff",
    ]
    assert Scrubber().value(data) == [
        "<Unprintable: RuntimeError when shown>",
        "nan",
        "<int: ValueError when shown>",
        {"1": 2},
        [3],
        20,
        f"Point(x=1, password={MASK})",
        "\\xff",
    ]


@pytest.mark.parametrize(
    "seed",
    [
        *("a", "a.", " ", "\\", "secret", "secret-", "secret'", "'secret'  :  ", "secret=(", "x-"),
        *("secret='\\'", "'secret', x", "secret=", "token=a", "authorization ", "x-key", "eyJ"),
        *(
            "secret=[",
            "secret=[{(",
            "secret=['",
            "secret={}",
            "[",
            "://",
            "://a:",
            "-----BEGIN ",
            "Bearer ",
            "Basic ",
        ),
    ],
)
def test_scrubbing_is_linear_in_the_length_of_what_is_logged(seed):
    scrubber = Scrubber()

    def seconds(length):
        text = f"={seed * (length // len(seed))}"
        began = time.process_time()
        scrubber.text(text)
        return time.process_time() - began

    # Were it quadratic, ten times the length would take a hundred times as long: seconds.
    assert seconds(100_000) < 30 * max(seconds(10_000), 0.005)
