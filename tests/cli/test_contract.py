"""``manage.py contract``: the files in a consumer's folder, and their proof on the provider."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def manage(folder: Path, *words: str, expect: int = 0) -> str:
    """Run the contract command of the service in the folder; return what it says."""
    command = [sys.executable, str(folder / "manage.py"), "contract", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A checkout of the tasks service that a test may change."""
    left = shutil.ignore_patterns("__pycache__", "*.egg-info", "src")
    return Path(shutil.copytree(ROOT / "services" / "tasks", tmp_path / "tasks", ignore=left))


CONSUMERS = {path.parents[1].name for path in ROOT.glob("services/*/contracts/*.json")}


# What tasks needs is recorded anew below.
@pytest.mark.parametrize("consumer", sorted(CONSUMERS - {"tasks"}))
def test_what_the_suite_needs_is_what_its_contracts_say(consumer: str) -> None:
    """Else type services/<consumer>/manage.py contract record, and read the difference."""
    assert "as it was" in manage(ROOT / "services" / consumer, "record", "--check")


@pytest.mark.processes
def test_a_stale_contract_is_told_and_written_anew_as_it_was(tasks: Path) -> None:
    path = tasks / "contracts" / "auth.json"
    fresh = path.read_bytes()
    needs = json.loads(fresh)
    path.write_text(json.dumps(needs[1:]))
    (path.with_name("billing.json")).write_text("[]")
    said = manage(tasks, "record", "--check", expect=1)
    assert "auth.json, billing.json in " in said
    assert "manage.py contract record" in said
    assert "contracts/auth.json: written." in manage(tasks, "record")
    assert path.read_bytes() == fresh
    assert not path.with_name("billing.json").exists()


def test_who_would_break_is_named_with_the_request_and_the_field(tmp_path: Path) -> None:
    needs = json.loads((ROOT / "services/tasks/contracts/auth.json").read_text())
    for need in needs:
        need["fields"] |= {"/nick": "string"} if need["request"].endswith("{user}") else {}
    (tmp_path / "auth.json").write_text(json.dumps(needs))
    said = manage(ROOT / "services/auth", "verify", str(tmp_path / "auth.json"), expect=1)
    broken = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    assert broken == [
        "tasks: GET /users/{user} as application/json: there is no field /nick",
        "tasks: GET /users/{user} as application/xml: there is no field /nick",
    ]


def test_the_contracts_of_the_suite_are_found_and_hold() -> None:
    assert "of archives, tasks." in manage(ROOT / "services" / "auth", "verify")
