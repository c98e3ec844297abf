"""manage.py of a service, as a person types it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from glassware.cli import Manager

ROOT = Path(__file__).parents[2]
Manage = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def manage(tmp_path: Path) -> Manage:
    """Run a manage.py in a process of its own, with its state in a folder of the test."""

    def run(service: str, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        prefix = f"GLASSWARE_{service.upper()}__"
        environ = {prefix + "SERVICE__STATE_DIR": str(tmp_path / service)}
        environ |= {prefix + name.upper(): value for name, value in settings.items()}
        command = [sys.executable, str(ROOT / "services" / service / "manage.py"), *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)

    return run


@pytest.mark.parametrize("service", ["auth", "tasks", "archives"])
def test_help_names_every_verb_and_needs_no_state(
    manage: Manage, service: str, tmp_path: Path
) -> None:
    shown = manage(service, "--help")
    assert shown.returncode == 0, shown.stderr
    for verb in ("runserver", "shell", "routes", "db", "config", "check"):
        assert f"\n  {verb}" in shown.stdout
    assert not (tmp_path / service).exists(), "help must not make state"


@pytest.mark.parametrize("service", ["auth", "tasks", "archives"])
def test_help_says_what_the_commands_say_and_loads_none_of_them(service: str) -> None:
    manager = Manager(f"glassware_{service}.app:service")
    context = click.Context(manager)
    with context.scope():
        listed = manager.get_help(context)
    for name in manager.list_commands(context):
        command = manager.get_command(context, name)
        assert command is not None
        first = " ".join((command.help or "").split())
        told = re.search(rf"^  {name} +(.+)$", listed, re.MULTILINE)
        assert told, name
        assert first.startswith(told[1].removesuffix(".")), (told[1], first)


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    script = (
        "import sys, runpy\n"
        "sys.argv = ['manage.py', '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(sorted({'flask', 'sqlalchemy', 'alembic', 'glassware_auth.app'} & set(sys.modules)))"
    )
    folder = ROOT / "services" / "auth"
    command = [sys.executable, "-c", script]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert shown.stdout.splitlines()[-1] == "[]", shown.stdout + shown.stderr


@pytest.mark.parametrize("service", ["auth", "tasks", "archives"])
def test_routes_shows_a_policy_in_every_line(manage: Manage, service: str) -> None:
    listed = manage(service, "routes")
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert len(lines) > 5
    for line in lines:
        path, method, policy = line.split(maxsplit=2)
        assert path.startswith("/")
        assert method.isupper()
        assert policy != "None"
    assert manage(service, "urls").stdout == listed.stdout


def test_config_show_says_where_each_value_is_from_and_masks_secrets(
    manage: Manage, tmp_path: Path
) -> None:
    shown = manage("tasks", "config", "show", paging__limit="7")
    rows = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert "7" in rows["paging.limit"]
    assert "GLASSWARE_TASKS__PAGING__LIMIT" in rows["paging.limit"]
    assert "default_config.ini" in rows["server.port"]
    secret = (tmp_path / "tasks" / "secrets" / "app.secret_key").read_text().strip()
    assert len(secret) > 40
    assert "********" in rows["app.secret_key"]
    assert secret not in shown.stdout + shown.stderr


def test_a_mistyped_option_is_refused_with_the_nearest_name(manage: Manage) -> None:
    refused = manage("tasks", "routes", paging__limt="7")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "paging.limit" in refused.stderr
    assert "GLASSWARE_TASKS__PAGING__LIMT" in refused.stderr


def test_production_refuses_to_start_without_secrets(manage: Manage, tmp_path: Path) -> None:
    refused = manage("tasks", "routes", service__mode="production")
    assert refused.returncode == 1
    assert "app.secret_key" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_check_fails_before_the_migrations_and_names_the_way_out(manage: Manage) -> None:
    before = manage("auth", "check")
    assert before.returncode == 1
    assert "db upgrade" in before.stdout
    assert manage("auth", "db", "upgrade").returncode == 0
    after = manage("auth", "check")
    assert after.returncode == 0, after.stdout + after.stderr


def test_clean_says_what_it_deleted(manage: Manage) -> None:
    assert manage("auth", "db", "upgrade").returncode == 0
    cleaned = manage("auth", "clean")
    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    assert "families: 0 deleted\n" in cleaned.stdout


def test_config_sample_is_a_configuration(manage: Manage, tmp_path: Path) -> None:
    from configparser import ConfigParser

    parser = ConfigParser(interpolation=None)
    parser.read_string(manage("archives", "config", "sample").stdout)
    assert "archives" in parser.sections()
