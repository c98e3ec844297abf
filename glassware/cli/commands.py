"""Commands out of plain functions: the signature says the arguments, the docstring the help."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_type_hints, overload

import click

from glassware.problems import Problem

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


class Commands(click.Group):
    """A group of commands that run with the app at hand.

    As Flask-Script's ``@manager.command`` did: a parameter without a default is an argument, one
    with a default an option, a bool a flag, ``*names`` any number of arguments::

        users = Commands("users", "The people who may log in.")

        @users.command
        def create(email: str, admin: bool = False) -> None:
            "Create a user."

    An option is also known by its initial where no other parameter has that.
    ``@users.command("list")`` gives a name that is not the function's.
    A problem that the function raises is printed as one line and exits with 1; what it returns is
    printed. With ``alone`` they need no app: a service lends such a group to the command of the
    suite by an entry point of ``glassware.commands``.
    """

    def __init__(self, name: str, help: str, alone: bool = False) -> None:
        super().__init__(name, help=help, no_args_is_help=True)
        self.alone = alone

    @overload
    def command(self, named: str) -> Callable[[F], F]: ...

    @overload
    def command(self, named: F) -> F: ...

    def command(self, named: Any) -> Any:
        """Add a function as a command; it stays callable as it was."""
        if isinstance(named, str):
            return lambda function: self.add(named, function)
        return self.add(named.__name__.replace("_", "-"), named)

    def add(self, name: str, function: Function) -> Function:
        """Add the function as the command ``name``; return it."""
        adder = super().command(name, help=inspect.getdoc(function), params=parameters(function))
        adder(reporting(function, self.alone))
        return function


def reporting(function: Function, alone: bool = False) -> Function:
    """Return the function with the app at hand, its problems turned into what a terminal shows."""

    def run(**values: Any) -> None:
        from flask.cli import with_appcontext

        try:
            result = (function if alone else with_appcontext(function))(**values)
        except Problem as problem:
            details = [
                f"{name}: {' '.join(texts)}" for name, texts in (problem.errors or {}).items()
            ]
            raise click.ClickException("\n".join([str(problem), *details])) from None
        if result is not None:
            click.echo(result)

    return run


def parameters(function: Function) -> list[click.Parameter]:
    """Return click's parameters for the function's own."""
    hints = get_type_hints(function)
    wanted = inspect.signature(function).parameters.values()
    initials = Counter(each.name[0] for each in wanted)
    return [
        parameter(each, hints.get(each.name, str), initials[each.name[0]] == 1) for each in wanted
    ]


def parameter(each: inspect.Parameter, hint: Any, short: bool) -> click.Parameter:
    kind = next((arm for arm in get_args(hint) if arm is not type(None)), hint)
    if each.default is inspect.Parameter.empty:
        return click.Argument([each.name], type=kind)
    flags = [f"--{each.name.replace('_', '-')}", *([f"-{each.name[0]}"] if short else [])]
    if kind is bool:
        return click.Option(flags, is_flag=True, default=each.default)
    return click.Option(
        flags, type=kind, default=each.default, show_default=each.default is not None
    )
