"""Layers, origins, and what is shown of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.config import CHASSIS, Config, ConfigError, Option, variable

LAYERS = ("package", "ini", "10.ini", "20.ini", "environment", "file", "command line")
NAMES = ("server.port", "paging.limit", "client.retries")


@st.composite
def sayings(draw):
    """What each layer says, of which about half say something: {name: {layer: value}}."""
    values = st.none() | st.integers(1, 65535)
    said = {name: {layer: draw(values) for layer in LAYERS} for name in NAMES}
    return {
        name: {layer: value for layer, value in layers.items() if value is not None}
        for name, layers in said.items()
    }


@given(said=sayings())
def test_the_last_layer_that_says_something_wins_and_is_named_as_origin(new_machine, said):
    with new_machine() as places:
        origins = write_layers(places, said)
        environ = {
            variable("tasks", name): str(layers["environment"])
            for name, layers in said.items()
            if "environment" in layers
        }
        overrides = {name: v["command line"] for name, v in said.items() if "command line" in v}
        config = places.load(environ=environ, overrides=overrides, package="package_with_defaults")
        defaults = {option.name: option.default for option in CHASSIS}
        for name in NAMES:
            layers = said[name]
            last = max(layers, key=LAYERS.index, default=None)
            assert config[name] == (layers[last] if last else defaults[name])
            assert config.origin(name) == (origins(name)[last] if last else "default")


def write_layers(places, said):
    """Write the file layers; return the function that gives a name's origins by layer."""
    paths = {
        "package": places.defaults,
        "ini": places.etc / "tasks.ini",
        "10.ini": places.etc / "tasks.d" / "10.ini",
        "20.ini": places.etc / "tasks.d" / "20.ini",
    }
    for layer, path in paths.items():
        lines = []
        for name, layers in said.items():
            section, _, option = name.partition(".")
            if layer in layers:
                lines += [f"[{section}]", f"{option} = {layers[layer]}"]
        places.write(path, "\n".join(lines))
    for name, layers in said.items():
        if "file" in layers:
            places.write(places.secrets / name, f"{layers['file']}\n")
    return lambda name: {
        **{layer: str(path) for layer, path in paths.items()},
        "package": "package default_config.ini",
        "environment": f"environment {variable('tasks', name)}",
        "file": f"file {places.secrets / name}",
        "command line": "command line",
    }


def test_every_type_is_parsed(places):
    options = [
        Option("own.text", str, "", "Text."),
        Option("own.count", int, 1, "Count."),
        Option("own.ratio", float, 0.5, "Ratio."),
        Option("own.flag", bool, False, "Flag."),
        Option("own.hosts", list, (), "Hosts."),
        Option("own.folder", Path, Path("/srv"), "Folder."),
    ]
    places.write(
        places.etc / "tasks.ini",
        "[own]\ntext = 100% ; # [x] = y\ncount = 1_000\nratio = 3\nflag = Yes\n"
        "hosts = a, b,\n  c\n  [::1]:80,\nfolder = /srv/{service}\n",
    )
    config = places.load(options=options)
    assert {option.name: config[option.name] for option in options} == {
        "own.text": "100% ; # [x] = y",
        "own.count": 1000,
        "own.ratio": 3.0,
        "own.flag": True,
        "own.hosts": ("a", "b", "c", "[::1]:80"),
        "own.folder": Path("/srv/tasks"),
    }


def test_overrides_may_be_values_of_the_options_type(places):
    given = {"server.port": 7102, "server.trusted_hosts": ["a", "b"], "client.timeout": 1}
    config = places.load(overrides=given)
    assert config["server.port"] == 7102
    assert config["server.trusted_hosts"] == ("a", "b")
    assert repr(config["client.timeout"]) == "1.0"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("server.port", "seven", "must be a whole number"),
        ("server.port", "65536", "must be at most 65535"),
        ("server.port", True, "must be a whole number"),
        ("server.port", None, "must not be empty"),
        ("server.threads", "0", "must be at least 1"),
        ("client.timeout", "nan", "must be a number"),
        ("client.timeout", "inf", "must be a number"),
        ("client.timeout", "-1", "must be at least 0.01"),
        ("auth.algorithms", "ES256, none", "must be one of: ES256, RS256, EdDSA, HS256"),
        ("auth.algorithms", "", "must have at least 1"),
        ("service.mode", "Production", "must be one of: production, development"),
        ("service.state_dir", " ", "must be a path"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_layer_and_name(places, name, value, complaint):
    with pytest.raises(ConfigError) as caught:
        places.load(overrides={name: value})
    assert str(caught.value) == f"command line: {name} {complaint}, not {value!r}"


def test_all_that_is_wrong_is_said_at_once(places):
    places.write(places.etc / "tasks.ini", "[server]\nprot = 1\nthreads = x\n[sevrer]\n")
    with pytest.raises(ConfigError) as caught:
        places.load(
            environ={"GLASSWARE_TASKS__LOG__LEVEL": "loud"}, overrides={"app.secret_key": "x"}
        )
    ini = places.etc / "tasks.ini"
    assert caught.value.complaints == (
        f"{ini}: unknown option server.prot; did you mean server.port?",
        f"{ini}: server.threads must be a whole number, not 'x'",
        f"{ini}: unknown section [sevrer]; did you mean server?",
        "environment GLASSWARE_TASKS__LOG__LEVEL: log.level must be one of:"
        " DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'loud'",
        "command line: app.secret_key is a secret; put it into the file"
        f" {places.secrets / 'app.secret_key'}",
    )


WORDS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
KNOWN = {option.name for option in CHASSIS}


@st.composite
def misspelt(draw):
    """A name that is nearly known, or anything."""
    name = draw(st.sampled_from(sorted(KNOWN)))
    at = draw(st.integers(0, len(name) - 1))
    letter = draw(st.sampled_from("aez_"))
    return draw(
        st.sampled_from([name[:at] + name[at + 1 :], name[:at] + letter + name[at:], name.upper()])
    )


@given(
    name=st.one_of(misspelt(), st.builds("{}.{}".format, WORDS, WORDS)).filter(
        lambda name: name not in KNOWN and all(name.partition("."))
    ),
    layer=st.sampled_from(["ini", "environment", "file", "command line"]),
)
def test_an_unknown_name_never_passes(new_machine, name, layer):
    section, _, option = name.partition(".")
    key = f"GLASSWARE_TASKS__{section}__{option}"
    with new_machine() as places:
        if layer == "ini":
            places.write(places.etc / "tasks.ini", f"[{section}]\n{option} = 1\n")
        if layer == "file":
            places.write(places.secrets / name, "1")
        environ = {key: "1"} if layer == "environment" else {}
        overrides = {name: "1"} if layer == "command line" else {}
        if (
            layer == "environment"
            and name.lower().replace(".", "__").replace("__", ".", 1) in KNOWN
        ):
            return
        with pytest.raises(ConfigError, match=r": unknown (option|section) "):
            places.load(environ=environ, overrides=overrides)


@pytest.mark.parametrize(
    "key", ["", "SERVER", "SERVER__", "__PORT", "SERVER__PORT__", "SERVER_PORT"]
)
def test_a_variable_with_our_prefix_that_names_no_option_is_refused(places, key):
    with pytest.raises(ConfigError, match=f"environment GLASSWARE_TASKS__{key}: unknown"):
        places.load(environ={f"GLASSWARE_TASKS__{key}": "1"})


def test_variables_of_other_services_are_not_ours(places):
    environ = {"GLASSWARE_TASKS_OLD__SERVER__PORT": "1", "GLASSWARE_AUTH__NO__SUCH": "1"}
    assert places.load(environ=environ)["server.port"] == 7000


@pytest.mark.parametrize("text", ["[server]\nPort = 1\n", "[Server]\nport = 1\n"])
def test_names_are_written_in_small_letters(places, text):
    places.write(places.etc / "tasks.ini", text)
    with pytest.raises(ConfigError, match=r"unknown .*; did you mean server"):
        places.load()


@pytest.mark.parametrize("text", ["[DEFAULT]\nport = 1\n", "[DEFAULT]\n[server]\n"])
def test_a_default_section_does_not_reach_into_the_others(places, text):
    places.write(places.etc / "tasks.ini", text)
    with pytest.raises(ConfigError, match=r"unknown section \[DEFAULT\]"):
        places.load()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("port = 1\n", "line 1 is neither"),
        ("[server]\nport = 1\nhunter2\n", "line 3 is neither"),
        ("[server]\nport: 1\n", "line 2 is neither"),
        ("[server]\nport = 1\nport = hunter2\n", "line 3: server.port is set a second time"),
        ("[log]\n[server]\n[log]\n", r"line 3: section \[log\] begins a second time"),
    ],
)
def test_a_file_at_fault_is_refused_by_line_without_quoting_it(places, text, complaint):
    path = places.write(places.etc / "tasks.d" / "x.ini", text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        places.load()
    assert str(caught.value).startswith(f"{path}: ")
    assert "hunter2" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(places):
    path = places.etc / "tasks.ini"
    path.write_bytes(b"[server]\nhost = \xff\n")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        places.load()
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        places.load()


def test_placeholders_are_filled_in_and_paths_made_absolute(places):
    given = {"service.state_dir": "state/{service}", "auth.audience": "{service}"}
    config = places.load(overrides=given)
    assert config["service.state_dir"] == Path.cwd() / "state" / "tasks"
    assert config["database.url"] == f"sqlite:///{Path.cwd()}/state/tasks/tasks.sqlite"
    assert config["auth.audience"] == "tasks"


def test_an_option_without_default_must_be_given(places):
    options = [Option("own.url", str, None, "Where.")]
    with pytest.raises(ConfigError, match=r"own.url: has no value; set it in .*/etc/tasks.ini"):
        places.load(options=options)
    assert places.load(options=options, overrides={"own.url": "x"})["own.url"] == "x"


def test_a_name_declared_in_two_ways_is_a_mistake_of_the_program(places):
    assert places.load(options=CHASSIS)["server.port"] == 7000
    with pytest.raises(ValueError, match=r"server.port is declared twice"):
        places.load(options=[Option("server.port", int, 1, "Another.")])


def test_a_config_is_a_mapping_that_cannot_be_changed(places):
    config = places.load()
    assert dict(config)["server.port"] == config.get("server.port") == 7000
    assert set(config) == KNOWN
    assert "server.prot" not in config
    with pytest.raises(TypeError):
        config["server.port"] = 1
    assert isinstance(config, Config)


def test_rows_show_every_option_with_its_origin_and_help(places):
    rows = places.load(overrides={"server.trusted_hosts": "a, b"}).rows()
    assert [row.name for row in rows] == [option.name for option in CHASSIS]
    assert ("server.trusted_hosts", "a, b", "command line") in [row[:3] for row in rows]
    assert ("server.port", "7000", "default", "Port to listen on; 0 takes a free one.") in rows
