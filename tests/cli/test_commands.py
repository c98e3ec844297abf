"""Commands out of functions."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo

from glassware.cli import Commands
from glassware.problems import InvalidProblem


def make(function: Any, name: str | None = None) -> Commands:
    group = Commands("things", "Things.")
    if name:
        group.command(name)(function)
    else:
        group.command(function)
    return group


def run(group: Commands, *words: str) -> Result:
    info = ScriptInfo(create_app=lambda: Flask("things"))
    return CliRunner().invoke(group, words, obj=info)


def test_the_signature_says_the_arguments_and_options() -> None:
    def add(name: str, size: int = 3, big_one: bool = False, note: str | None = None) -> str:
        """Add a thing."""
        return f"{name}/{size!r}/{big_one}/{note}"

    group = make(add)
    assert run(group, "add", "x").output == "x/3/False/None\n"
    assert run(group, "add", "x", "--size", "5", "--big-one", "--note", "n").output == (
        "x/5/True/n\n"
    )
    assert run(group, "add").exit_code == 2
    assert run(group, "add", "x", "--size", "many").exit_code == 2
    assert "Add a thing." in run(group, "--help").output


def test_a_command_may_have_a_name_that_is_not_its_functions() -> None:
    def list_things() -> str:
        """List them."""
        return "listed"

    assert run(make(list_things, "list"), "list").output == "listed\n"


def test_the_function_stays_callable_and_the_app_is_at_hand() -> None:
    def name_of_app() -> str:
        from flask import current_app

        return current_app.name

    group = Commands("things", "Things.")
    assert group.command(name_of_app) is name_of_app
    assert run(group, "name-of-app").output == "things\n"


def test_a_problem_is_told_in_lines_and_exits_with_1() -> None:
    def fail() -> None:
        raise InvalidProblem("It is wrong.", errors={"email": ["Not an email.", "Too long."]})

    result = run(make(fail), "fail")
    assert result.exit_code == 1
    assert result.output == "Error: It is wrong.\nemail: Not an email. Too long.\n"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_a_group_without_a_command_shows_its_help(words: list[str]) -> None:
    assert "Usage:" in run(make(lambda: None, "noop"), *words).output
    assert isinstance(make(lambda: None, "noop"), click.Group)
