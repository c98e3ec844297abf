"""Options and the sample file made of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.config import CHASSIS, Option, sample
from glassware.config.option import render

WORDS = st.text("abcdefghijklmnopqrstuvwxyzäß%{}[]:/=#;", min_size=1, max_size=10).filter(
    lambda word: word[0] not in "#;"
)
DEFAULTS = {
    str: st.one_of(st.just(""), WORDS),
    int: st.integers(-(10**9), 10**9),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    list: st.lists(WORDS).map(tuple),
    Path: WORDS.map(Path("/srv").joinpath).filter(lambda path: str(path).strip() == str(path)),
}


def uncommented(text):
    """The sample with every option's "#" removed; comments proper have a space after it."""
    return re.sub(r"^#(?! )", "", text, flags=re.M)


def test_every_option_of_the_chassis_survives_the_sample_file(places):
    # In development some options have another default, and the sample is for production.
    places.write(places.secrets / "app.secret_key", "a real one")
    plain = places.load(mode="production")
    path = places.write(places.etc / "tasks.ini", uncommented(sample(CHASSIS)))
    sampled = places.load(mode="production")
    assert dict(sampled) == dict(plain)
    origins = {name: sampled.origin(name) for name in sampled}
    own = {"service.mode", "service.secrets_dir", "app.secret_key", "auth.client_secret"}
    assert {name for name, origin in origins.items() if origin != str(path)} == own


def test_the_sample_file_as_it_is_changes_nothing(places):
    plain = dict(places.load())
    places.write(places.etc / "tasks.ini", sample(CHASSIS))
    config = places.load()
    assert dict(config) == plain
    assert str(places.etc / "tasks.ini") not in {config.origin(name) for name in config}


@given(data=st.data())
def test_any_option_survives_the_sample_file(new_machine, data):
    kinds = data.draw(st.lists(st.sampled_from(list(DEFAULTS)), min_size=1, max_size=6))
    options = [
        Option(f"own.option_{number}", kind, data.draw(DEFAULTS[kind]), "Help. " * 30)
        for number, kind in enumerate(kinds)
    ]
    with new_machine() as places:
        plain = dict(places.load(options=options))
        places.write(places.etc / "tasks.ini", uncommented(sample(options)))
        assert dict(places.load(options=options)) == plain


def test_the_sample_has_every_help_text_and_no_line_too_long():
    text = sample(CHASSIS)
    flat = " ".join(line.removeprefix("# ") for line in text.splitlines())
    assert all(option.help in flat for option in CHASSIS)
    assert max(map(len, text.splitlines())) <= 100


def test_every_option_of_the_chassis_is_explained_in_a_sentence():
    assert [
        option.name for option in CHASSIS if not re.fullmatch(r"[A-Z].{15,}\.", option.help)
    ] == []
    assert len({option.name for option in CHASSIS}) == len(CHASSIS)


@pytest.mark.parametrize(
    "name", ["port", "Server.port", "server.", ".port", "a.b.c", "server.my__port", "a-b.c"]
)
def test_an_option_needs_a_name_that_every_layer_can_write(name):
    with pytest.raises(ValueError, match="snake case"):
        Option(name, int, 1, "Help.")


@pytest.mark.parametrize(
    ("kind", "default", "more"),
    [
        (int, "x", {}),
        (int, 0, {"minimum": 1}),
        (str, "c", {"choices": ("a", "b")}),
        (list, ("a,b",), {}),
        (float, float("nan"), {}),
        (dict, {}, {}),
        (int, 1, {"secret": True}),
    ],
)
def test_an_option_that_no_layer_could_give_is_refused(kind, default, more):
    with pytest.raises(ValueError, match=r"that no layer can give|must "):
        Option("own.option", kind, default, "Help.", **more)


@given(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_is_parsed_as_it_is_rendered(value):
    assert Option("own.option", type(value), None, "Help.").parse(render(value)) == value
