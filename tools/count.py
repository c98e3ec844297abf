#!/usr/bin/env python3
"""Count the lines of own code of each floor of the chassis and of each service.

Tests are not counted, nor are the versions of migrations, which are history and only ever grow.

A line counts as code when it holds a token that is neither a comment nor part of a docstring. Exits
with 1 where something has grown beyond what one reader takes in: see "How large things are" in
docs/explanation/house.rst.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
#: The lines of a module, all told, and the lines of code of a floor or a service, at most.
MODULE, PART = 400, 3000
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
    """Yield the name of each floor and of each service, with the counts of its modules."""
    floors = [path.parent for path in sorted((ROOT / "glassware").glob("*/__init__.py"))]
    services = sorted((ROOT / "services").glob("*/src"))
    yield "glassware", [count(path) for path in sorted((ROOT / "glassware").glob("*.py"))]
    for folder in (*floors, *services):
        name = folder.parent.name if folder in services else f"  .{folder.name}"
        modules = sorted(folder.rglob("*.py"))
        yield name, [count(path) for path in modules if path.parent.name != "versions"]


def complaints(found: Mapping[str, Sequence[Count]]) -> Iterator[str]:
    """Yield what is too large."""
    for name, counts in found.items():
        code = sum(one.code for one in counts)
        if code > PART:
            yield f"{name.strip(' .')} has {code} lines of code; {PART} at most"
        for one in counts:
            if one.total > MODULE:
                yield f"{one.path.relative_to(ROOT)} has {one.total} lines; {MODULE} at most"


def main() -> int:
    """Print one line per part, and what is too large."""
    row = "{:<12} {:>8} {:>8} {:>8} {:>8}   {}\n".format
    sys.stdout.write(row("", "modules", "lines", "code", "words", "longest module"))
    found = {name: counts for name, counts in parts() if counts}
    for name, counts in found.items():
        longest = max(counts, key=lambda one: one.total)
        sums = (sum(column) for column in list(zip(*counts, strict=True))[1:])
        note = f"{longest.path.relative_to(ROOT)} ({longest.total})"
        sys.stdout.write(row(name, len(counts), *sums, note))
    sys.stdout.write("\nwords: comments and docstrings\n")
    large = list(complaints(found))
    sys.stderr.writelines(f"{text}\n" for text in large)
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
