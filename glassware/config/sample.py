"""The sample configuration file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from glassware.config.networks import Networks
from glassware.config.option import Kind, Option, render

_HEAD = """\
# Every option with its default. Remove the "#" before an option to change it.
# {service} and {state_dir} are filled in. Later layers win over this file: the files in
# <service>.d/, the environment (GLASSWARE_<SERVICE>__<SECTION>__<OPTION>), the files in the
# secrets folder, the command line.
"""

_KINDS: dict[Kind, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    list: "list, separated by commas",
    Networks: "networks, separated by commas",
    Path: "path",
}


def sample(options: Iterable[Option]) -> str:
    """Return a commented INI file of the options, every option commented out."""
    sections: dict[str, list[str]] = {}
    for option in options:
        sections.setdefault(option.section, []).append("\n".join(_lines(option)) + "\n")
    blocks = ((f"[{section}]\n", *members) for section, members in sections.items())
    return "\n".join([_HEAD, *(block for group in blocks for block in group)])


def _lines(option: Option) -> Iterator[str]:
    key = option.name.partition(".")[2]
    yield from (f"# {line}" for line in textwrap.wrap(option.help, 96))
    if option.secret:
        yield f"# {key} is a secret: write it into the file <service.secrets_dir>/{option.name}"
    else:
        yield f"# ({_limits(option)})"
        yield f"#{key} = {render(option.default)}".rstrip()


def _limits(option: Option) -> str:
    parts = [_KINDS[option.type]]
    parts += [f"allowed: {', '.join(option.choices)}"] if option.choices else []
    parts += [f"at least {option.minimum:g}"] if option.minimum is not None else []
    parts += [f"at most {option.maximum:g}"] if option.maximum is not None else []
    return "; ".join(parts)
