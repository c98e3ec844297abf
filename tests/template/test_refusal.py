"""What would not make a service is refused in words, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from glassware.cli.suite import main
from tests.template.checkout import ROOT, Checkout

HOOK = ROOT / "cookiecutter-template" / "hooks" / "pre_gen_project.py"
GOOD = {"slug": "books", "summary": "Keeps books.", "resource": "book", "place": "suite"}


def refusal(folder: Path, **answers: str) -> list[str]:
    """Run the hook that judges the answers, as cookiecutter does; return what it says."""
    given = {**GOOD, **answers}
    given["__class"] = "".join(map(str.capitalize, given["resource"].split("_")))
    hook = folder / "hook.py"
    hook.write_text(HOOK.read_text().replace("{{ cookiecutter | jsonify }}", json.dumps(given)))
    (folder / "glassware").mkdir()
    (folder / "glassware" / "service.py").touch()
    here = folder / "services" / "new"
    here.mkdir(parents=True)
    done = subprocess.run([sys.executable, hook], cwd=here, capture_output=True, text=True)
    assert not done.stderr
    assert bool(done.returncode) == bool(done.stdout)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"slug": "b"},
        {"slug": "x" * 20},
        {"slug": "v2"},
        {"resource": "time_entry"},
        {"resource": "policy"},
        {"summary": "Café (hours & days): who's worked, à la carte; #1 @ 2 + 2 = 4/1!"},
        {"summary": "y" * 79},
    ],
)
def test_good_answers_are_taken(tmp_path: Path, answers: dict[str, str]) -> None:
    assert refusal(tmp_path, **answers) == []


@pytest.mark.parametrize(
    ("slug", "said"),
    [
        ("", "'' will not do."),
        ("My-Notes", "'My-Notes' will not do."),
        ("my_notes", "'my_notes' will not do."),
        ("9lives", "for instance notes"),
        ("x" * 21, "at most 20"),
        ("../notes", "'../notes' will not do."),
        ("notes\n", "will not do."),
        ("lambda", "is a name of Python's own"),
        ("calendar", "choose another, for instance calendars."),
        ("common", "is taken by the suite itself"),
        ("flask", "a package flask is installed here already"),
        ("tasks", "a package glassware_tasks is installed here already"),
    ],
)
def test_a_bad_name_is_refused(tmp_path: Path, slug: str, said: str) -> None:
    (line,) = refusal(tmp_path, slug=slug)
    assert line.startswith("slug: ")
    assert said in line


@pytest.mark.parametrize("resource", ["", "B", "Book", "book_", "_book", "a__b", "2nd", "x" * 19])
def test_a_bad_noun_is_refused(tmp_path: Path, resource: str) -> None:
    (line,) = refusal(tmp_path, resource=resource)
    assert "will not do. One thing, in the singular" in line


@pytest.mark.parametrize("resource", ["type", "class", "true", "match", "id", "row", "problem"])
def test_a_noun_that_means_something_else_is_refused(tmp_path: Path, resource: str) -> None:
    (line,) = refusal(tmp_path, resource=resource)
    assert line.startswith(f"resource: {resource} ")


@pytest.mark.parametrize(
    "summary",
    ["", "x", "y" * 80, "two\nlines", 'Keeps "x".', "back\\slash", "50 %", "{{ 7 }}", "`x`", "*x"],
)  # fmt: skip
def test_a_summary_that_would_break_a_file_is_refused(tmp_path: Path, summary: str) -> None:
    (line,) = refusal(tmp_path, summary=summary)
    assert line.startswith("summary: one line")


def contents(checkout: Checkout) -> set[Path]:
    folders = (checkout.folder, checkout.suite, checkout.suite / "services")
    return {path for folder in folders for path in folder.iterdir()}


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_left_behind(checkout: Checkout) -> None:
    checkout.new("tasks", expect=1)  # leaves cookiecutter's own memory of the answers
    before = contents(checkout)
    wrong = ("My Notes", "--resource", "X", "--summary", '"""; open("pwned", "w") #')
    said = checkout.new(*wrong, expect=1).stderr.splitlines()
    assert [line.partition(": ")[0] for line in said] == ["Error", "resource", "summary"]
    assert said[0].startswith("Error: slug: 'My Notes' will not do.")
    assert contents(checkout) == before


def test_a_service_that_exists_is_left_alone(checkout: Checkout) -> None:
    before = checkout.run(checkout.suite, "git", "status", "--porcelain").stdout
    refused = checkout.new("tasks", expect=1)
    assert 'services/tasks" directory already exists' in refused.stderr
    assert checkout.run(checkout.suite, "git", "status", "--porcelain").stdout == before


def test_outside_of_a_checkout_there_is_no_template(tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, ["--root", str(tmp_path), "new", "books", "--yes"])
    assert refused.exit_code == 1
    assert "run from a checkout" in refused.stderr


def test_a_service_of_the_suite_needs_the_suite(checkout: Checkout, tmp_path: Path) -> None:
    template = str(checkout.suite / "cookiecutter-template")
    words = ("-m", "cookiecutter", "--no-input", template, "slug=books")
    refused = checkout.python(tmp_path, *words, expect=1)
    assert "is no checkout of the suite; go there, or answer alone." in refused.stdout
    assert not list(tmp_path.rglob("books"))


def test_without_cookiecutter_it_says_what_to_do(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cookiecutter", None)
    assert "`make setup` installs it" in checkout.new("books", expect=1).stderr
