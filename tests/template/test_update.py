"""What the template learns reaches the services; what their authors wrote survives."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from glassware.cli import Manager, template
from tests.template.checkout import Checkout, change

OLD, NEW = "requires = tox >= 4.30", "requires = tox >= 4.99"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A suite of these tests' own, for the template changes."""
    return Checkout(tmp_path_factory.mktemp("own"))


def birth(service: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((service / ".cruft.json").read_text())
    return document


def test_a_repository_of_its_own_follows_the_template(own: Checkout) -> None:
    own.new("notes", "--place", "alone")
    service = own.folder / "notes"
    models = service / "src" / "glassware_notes" / "models.py"
    change(service / "setup.cfg", "glassware >= 0.1.0", "glassware >= 0.1.0\n    icalendar >= 6")
    change(models, "NAME_LENGTH = 100", "NAME_LENGTH = 50")
    (service / "docs" / "conf.py").unlink()
    own.commit(service, "Do what authors do")
    own.rewrite("tox.ini", OLD, NEW)
    own.rewrite("src/*/models.py", "NAME_LENGTH = 100", "NAME_LENGTH = 200")
    own.rewrite("docs/conf.py", "furo", "alabaster")
    newest = own.commit(own.suite, "Learn")

    shown = own.manage(service, "template", "diff").stdout
    assert f"-{OLD}\n+{NEW}\n" in shown
    assert "-    icalendar >= 6\n" in shown
    assert "NAME_LENGTH" not in shown, "what is the author's is not compared"

    own.manage(service, "template", "update")
    assert NEW in (service / "tox.ini").read_text()
    assert "    icalendar >= 6\n" in (service / "setup.cfg").read_text()
    assert "NAME_LENGTH = 50\n" in models.read_text()
    assert not (service / "docs" / "conf.py").exists()
    assert birth(service)["commit"] == newest


def test_a_conflict_is_marked_and_nothing_is_lost(own: Checkout) -> None:
    own.new("books", "--place", "alone")
    service = own.folder / "books"
    change(service / "tox.ini", "no_package = true", "no_package = maybe")
    own.commit(service, "Begin")
    own.rewrite("tox.ini", "no_package = true", "no_package = false")
    own.commit(own.suite, "Learn otherwise")
    own.manage(service, "template", "update")
    text = (service / "tox.ini").read_text()
    rejected = "".join(path.read_text() for path in service.rglob("*.rej"))
    assert "no_package = maybe\n" in text
    assert "no_package = false\n" in text + rejected
    assert "<<<<<<<" in text or rejected


def test_a_service_of_the_suite_follows_the_template_and_may_change_its_answers(
    own: Checkout,
) -> None:
    """It was made by a template that was in no commit yet: then the commit of both counts."""
    own.rewrite("manage.py", "Drive the", "Steer the")
    own.new("notes")
    service = own.suite / "services" / "notes"
    assert birth(service)["commit"] is None
    assert "in no commit yet" in own.manage(service, "template", "update", expect=1).stderr
    both = own.commit(own.suite, "Begin notes, by a better template")
    own.rewrite("manage.py", "Steer the", "Lead the")
    own.commit(own.suite, "Learn once more")
    told = own.manage(service, "template", "update", expect=1).stderr
    assert f"as of {both[:12]}: commit it, then try again" in told
    own.commit(own.suite, "Remember")

    own.manage(service, "template", "update", "--set", "summary=Keeps short texts")
    assert "Lead the" in (service / "manage.py").read_text()
    assert "description = Keeps short texts.\n" in (service / "setup.cfg").read_text()
    changed = own.run(own.suite, "git", "status", "--porcelain", "services").stdout.split()
    assert changed[1::2] == [
        f"services/notes/{name}" for name in (".cruft.json", "manage.py", "setup.cfg")
    ]
    assert birth(service)["template"] == "../.."
    assert birth(service)["commit"] != both
    own.commit(own.suite, "Follow the template")
    assert own.manage(service, "template", "diff").stdout == ""


@pytest.mark.parametrize("text", ["slug=other", "_template=x", "summary=", "colour=red", "place"])
def test_only_answers_that_can_change_are_changed(text: str) -> None:
    known = {"slug": "notes", "summary": "Notes.", "place": "suite", "_template": "../.."}
    with pytest.raises(click.ClickException, match=r"give one of place, summary a value"):
        template.change(text, known)


@pytest.fixture
def manager(checkout: Checkout) -> Manager:
    home = checkout.suite / "services" / "tasks" / "manage.py"
    return Manager("glassware_tasks.app:service", home=str(home))


def refusal(manager: Manager) -> str:
    refused = CliRunner().invoke(manager, ["template", "diff"])
    assert refused.exit_code == 1
    return refused.stderr


def test_without_cruft_it_says_what_to_do(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cruft", None)
    assert "`make setup` installs it" in refusal(manager)


def test_a_service_of_another_making_is_not_compared(manager: Manager) -> None:
    assert manager.home
    birth = manager.home / ".cruft.json"
    birth.rename(birth.with_name("away"))
    assert "the service is not of the template" in refusal(manager)
    birth.with_name("away").rename(birth)


def test_an_installed_service_has_no_template() -> None:
    assert "go to its checkout" in refusal(Manager("glassware_tasks.app:service"))
