"""Refuse answers that would not make a service, before anything is written.

Runs by whatever Python cookiecutter has, so it takes no more than the standard library.
"""

from __future__ import annotations

import builtins
import json
import keyword
import re
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")
#: Names that the generated code, or the chassis, has for something else.
TAKEN = set(
    "add any change collection data database db fault index instant item length link live mapped"
    " metrics name owner principal problem ready remove resource root row schema select service"
    " session string value visible who".split()
)


def faults() -> Iterator[str]:
    """Yield what is wrong with the answers."""
    yield from slug_faults(ANSWERS["slug"])
    yield from resource_faults(ANSWERS["resource"], ANSWERS["__class"])
    if not re.fullmatch(r"[^\W_][\w .,;:!?'()/&+#@=-]{2,78}", ANSWERS["summary"]):
        yield (
            "summary: one line of 3 to 79 letters, digits and common punctuation, without"
            ' ", \\, `, *, %, | and braces.'
        )
    root = Path.cwd().parents[1]
    if ANSWERS["place"] == "suite" and not (root / "glassware" / "service.py").exists():
        yield f"place: {root} is no checkout of the suite; go there, or answer alone."


def slug_faults(slug: str) -> Iterator[str]:
    """Yield what is wrong with the name. The user glassware-<slug> may have 32 characters."""
    if not re.fullmatch(r"[a-z][a-z0-9]{0,19}", slug):
        yield (
            f"slug: {slug!r} will not do. It names a package, a database, a Debian package and a"
            " unit: a small letter, then small letters and digits, at most 20, for instance notes."
        )
    elif keyword.iskeyword(slug) or slug in sys.stdlib_module_names:
        yield f"slug: {slug} is a name of Python's own; choose another, for instance {slug}s."
    elif slug in ("common", "suite"):
        yield f"slug: {slug} is taken by the suite itself; choose another."
    else:
        for package in (slug, f"glassware_{slug}"):
            if installed(package):
                yield f"slug: a package {package} is installed here already; choose another."


def installed(package: str) -> bool:
    """Say whether there is such a package; the hook's own folder does not count."""
    found = PathFinder.find_spec(package, sys.path[1:])
    return found is not None and found.loader is not None and found.origin is not None


def resource_faults(resource: str, name: str) -> Iterator[str]:
    if not re.fullmatch(r"(?=.{2,18}$)[a-z][a-z0-9]*(_[a-z0-9]+)*", resource):
        yield (
            f"resource: {resource!r} will not do. One thing, in the singular: small letters and"
            " digits, words joined by _, 2 to 18 in all, for instance note or time_entry."
        )
    elif {resource, name} & {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}:
        yield f"resource: {resource} is a name of Python's own; choose another."
    elif resource in TAKEN:
        yield f"resource: {resource} already means something else in a service; choose another."


# When a service is being updated, cruft has put the commit there. All was well at its birth.
if "_commit" not in ANSWERS and (found := list(faults())):
    print("\n".join(found), flush=True)
    sys.exit(1)
