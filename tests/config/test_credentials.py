"""Secrets are read from files, generated in development, and demanded in production."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from glassware.config import Config, ConfigError, Option
from glassware.config.credentials import DEVELOPMENT, generate

KEY = "app.secret_key"


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_missing_secret_is_generated_once_in_development(places):
    first = places.load()
    path = places.secrets / KEY
    assert first[KEY].startswith(DEVELOPMENT)
    assert len(first[KEY]) > 40
    assert first.origin(KEY) == f"file {path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(places.secrets.stat().st_mode) == 0o700
    assert places.load()[KEY] == first[KEY]
    assert names(places.secrets) == [KEY]


def test_production_demands_a_secret_and_says_where(places):
    with pytest.raises(ConfigError) as caught:
        places.load(mode="production")
    assert f"{KEY}: there is no file {places.secrets / KEY}; write the secret there" in str(
        caught.value
    )
    assert not places.secrets.exists()


def test_production_refuses_a_secret_made_in_development(places):
    made = places.load()[KEY]
    with pytest.raises(ConfigError, match="was generated for development") as caught:
        places.load(mode="production")
    assert made not in str(caught.value)
    places.write(places.secrets / KEY, "a real one\n")
    assert places.load(mode="production")[KEY] == "a real one"


def test_production_is_the_default(places):
    nothing = {"CREDENTIALS_DIRECTORY": str(places.etc)}  # not what this machine may have
    with pytest.raises(ConfigError, match="there is no file"):
        Config.load(service="tasks", environ=nothing, etc=places.etc)


def test_a_secret_with_a_default_may_be_absent(places):
    options = [Option("mail.password", str, "", "Of the mail server.", secret=True)]
    assert places.load(options=options)["mail.password"] == ""
    assert not (places.secrets / "mail.password").exists()


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
@pytest.mark.parametrize("mode", ["production", "development"])
def test_an_empty_file_is_no_secret(places, text, mode):
    places.write(places.secrets / KEY, text)
    with pytest.raises(ConfigError, match="is empty; write the secret there"):
        places.load(mode=mode)


def test_the_text_is_taken_as_it_is_but_for_the_line_end(places):
    places.write(places.secrets / KEY, " {service}\n%(x)s\r\n")
    assert places.load()[KEY] == " {service}\n%(x)s"


def test_the_units_credentials_are_read_in_place_of_the_folder(places):
    unit = places.root / "unit"
    places.write(places.secrets / KEY, "of the folder")
    places.write(unit / f"glassware_{KEY}", "of the unit")
    places.write(unit / "database.url", "sqlite://")
    places.write(unit / "somebody.elses", "x")
    config = places.load(environ={"CREDENTIALS_DIRECTORY": str(unit)}, mode="production")
    assert (config[KEY], config["database.url"]) == ("of the unit", "sqlite://")
    assert config.origin(KEY) == f"file {unit / f'glassware_{KEY}'}"


def test_hidden_files_and_folders_beside_the_secrets_are_left_alone(places):
    places.write(places.secrets / f".{KEY}.swp", "x")
    places.write(places.secrets / "old" / KEY, "x")
    assert places.load()[KEY].startswith(DEVELOPMENT)


def test_a_name_of_ours_in_the_units_credentials_must_be_known(places):
    unit = places.root / "unit"
    places.write(unit / "glassware_app.secretkey", "x")
    with pytest.raises(
        ConfigError, match=r"unknown option app.secretkey; did you mean app.secret_key\?"
    ):
        places.load(environ={"CREDENTIALS_DIRECTORY": str(unit)})


def test_a_folder_that_cannot_be_used_is_refused(places):
    places.write(places.secrets, "a file")
    with pytest.raises(ConfigError, match="cannot be read: Not a directory; run as"):
        places.load()
    with pytest.raises(ConfigError, match=r"cannot be generated: .*; set service.secrets_dir"):
        generate(places.secrets / KEY)


RACE = """
import multiprocessing, sys
from pathlib import Path
from glassware.config.credentials import generate

def come(paths, gate, answers):
    for path in paths:
        gate.wait(10)
        answers.put((str(path), generate(path)))

fork = multiprocessing.get_context("fork")
paths = [Path(sys.argv[1], str(number), "app.secret_key") for number in range(100)]
gate, answers = fork.Barrier(20), fork.Queue()
for _ in range(20):
    fork.Process(target=come, args=(paths, gate, answers), daemon=True).start()
for _ in range(20 * len(paths)):
    print(*answers.get(timeout=10))
"""


def test_twenty_processes_that_come_at_once_get_the_same_secret(places):
    command = [sys.executable, "-c", RACE, str(places.root / "race")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    answers = Counter(done.stdout.splitlines())
    paths = [path / KEY for path in (places.root / "race").iterdir()]
    assert len(paths) == 100
    assert answers == Counter({f"{path} {path.read_text().strip()}": 20 for path in paths})
    assert {tuple(names(path.parent)) for path in paths} == {(KEY,)}


def test_twenty_threads_that_come_at_once_get_the_same_secret(places):
    paths = [places.root / str(number) / KEY for number in range(50)]
    gate = Barrier(20)

    def come(path):
        gate.wait(timeout=10)
        return generate(path)

    def come_to_each(_):
        return [come(path) for path in paths]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(come_to_each, range(20)))
    assert answers == [[path.read_text().strip() for path in paths]] * 20
