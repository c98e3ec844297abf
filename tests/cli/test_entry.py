"""The command of an installed service."""

from __future__ import annotations

import subprocess
import sys

import pytest

INSTALLED = "import sys; from glassware.cli.entry import main; sys.argv[0] = {!r}; main()"


def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", INSTALLED.format(program), *words]
    return subprocess.run(command, env={}, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("service", "secrets"),
    [
        ("auth", ["app.secret_key", "auth.key_secret"]),
        ("tasks", ["app.secret_key"]),
        ("archives", ["app.secret_key"]),
    ],
)
def test_the_program_drives_the_service_that_it_is_named_after(
    service: str, secrets: list[str]
) -> None:
    listed = run(f"/usr/bin/glassware-{service}", "config", "secrets")
    assert listed.stdout.split() == secrets, listed.stderr


def test_it_runs_in_production_and_needs_the_secrets() -> None:
    refused = run("glassware-tasks", "config", "show")
    assert refused.returncode == 1
    assert "/etc/glassware/credentials/tasks/app.secret_key" in refused.stderr


def test_its_help_names_it() -> None:
    assert run("glassware-tasks", "--help").stdout.startswith("Usage: glassware-tasks ")
