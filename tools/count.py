#!/usr/bin/env python3
"""Count the lines of own code of the chassis and of each service, tests not counted.

A line counts as code when it holds a token that is neither a comment nor part of a docstring.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
BLANK = {
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


class Count(NamedTuple):
    """The lines of one module."""

    path: Path
    total: int
    code: int
    words: int


def lines(tokens: Iterable[tokenize.TokenInfo]) -> set[int]:
    """Return the numbers of the lines that the tokens stand on."""
    return {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}


def docstrings(source: str) -> set[int]:
    """Return the numbers of the lines that belong to a docstring."""
    owners = (node for node in ast.walk(ast.parse(source)) if isinstance(node, DOCUMENTED))
    strings = (node.body[0] for node in owners if ast.get_docstring(node, clean=False) is not None)
    return {
        line for one in strings for line in range(one.lineno, (one.end_lineno or one.lineno) + 1)
    }


def count(path: Path) -> Count:
    """Count one module; a line with code and a comment is code."""
    source = path.read_text(encoding="utf-8")
    shown = [
        token
        for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__)
        if token.type not in BLANK
    ]
    documented = docstrings(source)
    code = lines(token for token in shown if token.type != tokenize.COMMENT) - documented
    return Count(path, len(source.splitlines()), len(code), len(lines(shown) - code))


def parts() -> Iterator[tuple[str, list[Count]]]:
    """Yield the name of each part of the suite that has modules, with their counts."""
    for source in (ROOT / "glassware", *sorted((ROOT / "services").glob("*/src"))):
        name = source.parent.name if source.name == "src" else source.name
        if counts := [count(path) for path in sorted(source.rglob("*.py"))]:
            yield name, counts


def main() -> None:
    """Print one line per part."""
    row = "{:<12} {:>8} {:>8} {:>8} {:>8}   {}\n".format
    sys.stdout.write(row("", "modules", "lines", "code", "words", "longest module"))
    for name, counts in parts():
        longest = max(counts, key=lambda one: one.total)
        sums = (sum(column) for column in list(zip(*counts, strict=True))[1:])
        note = f"{longest.path.relative_to(ROOT)} ({longest.total})"
        sys.stdout.write(row(name, len(counts), *sums, note))
    sys.stdout.write("\nwords: comments and docstrings\n")


if __name__ == "__main__":
    main()
