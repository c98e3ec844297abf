"""Make the new service at home: its port, its template's address, its place among the others.

Runs by whatever Python cookiecutter has, so it takes no more than the standard library.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")
SLUG, IN_SUITE = ANSWERS["slug"], ANSWERS["place"] == "suite"
HERE = Path.cwd()
#: What only a repository of its own needs.
ALONE = (".gitignore", "Jenkinsfile", "Makefile", "debian", "requirements-dev.in")
#: Files of the suite that name every service, one a line.
LISTS = ("setup.cfg", "requirements/projects.txt", "debian/control")
#: `make tour` serves a file from 7009.
RESERVED_PORTS = {7009}
#: The service whose package is like the new one's.
MODEL = "tasks"


def remove_what_is_not_for_here() -> None:
    for name in ALONE if IN_SUITE else ():
        path = HERE / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def take_port(suite: Path) -> int:
    """Write the next free port of the template's suite into the service, and return it."""
    taken = {7000} | RESERVED_PORTS
    for path in suite.glob("services/*/src/*/default_config.ini"):
        parser = ConfigParser(interpolation=None)
        parser.read(path)
        taken.add(parser.getint("server", "port", fallback=7000))
    port = next(port for port in range(max(taken - RESERVED_PORTS) + 1, 65536) if port not in taken)
    for path in (HERE / "README.rst", *HERE.glob("src/*/default_config.ini")):
        path.write_text(re.sub(r"\b7000\b", str(port), path.read_text()))
    return port


def remember_birth(template: Path) -> None:
    """Write .cruft.json: by which answers, and as of which commit, the service was made.

    There is no commit while the template has changes of its own that are in none.
    """
    top = git(template, "rev-parse", "--show-toplevel")
    origin = re.sub(r"^(https?://)[^/@]*@", r"\1", git(template, "config", "remote.origin.url"))
    committed = top and not git(template, "status", "--porcelain", ".")
    birth = {
        "template": "../.." if IN_SUITE else origin or top or str(template),
        "directory": template.name,
        "commit": git(template, "rev-parse", "--verify", "HEAD") or None if committed else None,
        "checkout": None,
        "context": {
            "cookiecutter": {
                name: answer for name, answer in ANSWERS.items() if not name.startswith("_")
            }
        },
    }
    (HERE / ".cruft.json").write_text(json.dumps(birth, indent=2, ensure_ascii=False) + "\n")


def git(folder: Path, *words: str) -> str:
    """Return what git prints, nothing where it fails."""
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def join(suite: Path) -> Iterator[str]:
    """Name the service wherever every other one is named; yield the names of the files."""
    others = [path.parent.name for path in suite.glob("services/*/manage.py")]
    others.remove(SLUG)
    for name in LISTS:
        path = suite / name
        if path.exists():
            path.write_text(extended(path.read_text(), others))
            yield name
    control = suite / "debian" / "control"
    if control.exists():
        control.write_text(packaged(control.read_text()))


def packaged(control: str) -> str:
    """Return debian/control with a package for the service, like the model's but for its text."""
    stanzas = control.rstrip("\n").split("\n\n")
    model = next(each for each in stanzas if each.startswith(f"Package: glassware-{MODEL}\n"))
    common, paragraph, _ = model.partition("\n .\n")
    summary = textwrap.indent(textwrap.fill(ANSWERS["__summary"], 78), " ")
    new = common.replace(MODEL, SLUG) + paragraph + summary
    return "\n\n".join([*stanzas, new]) + "\n"


def extended(text: str, others: list[str]) -> str:
    """Return the text with one more line after each run of lines that name all the others."""
    other = re.compile(rf"(?<![a-z0-9])({'|'.join(others)})(?![a-z0-9_])")
    lines: list[str] = []
    run: list[str] = []
    for line in [*text.splitlines(keepends=True), ""]:
        named = other.findall(line)
        if len(named) == 1:
            run += named
        else:
            if set(run) == set(others):
                lines.append(other.sub(SLUG, lines[-1]))
            run = []
        lines.append(line)
    return "".join(lines)


def welcome(port: int, joined: list[str]) -> str:
    """Return what to do next."""
    if not IN_SUITE:
        return f"""
{SLUG} is a repository of its own, in {HERE}. It serves on port {port}.

  git init      first, so that `./manage.py template update` can merge
  make test     set-up, checks, tests; pip must find the package glassware
  make run      the service; who may call it is up to auth.issuer
"""
    return f"""
services/{SLUG} is a part of the suite now. It serves on port {port}.
Named in {", ".join(joined)}.

  make lock     pin what it needs (takes the network)
  make test     check and test it with the others
  make run      start it with the others

An account that may call it:
  services/auth/manage.py clients create trial --scopes "{SLUG}:read {SLUG}:write"
People may once auth.user_scopes has these scopes.
"""


remove_what_is_not_for_here()
# When a service is being updated, cruft has put the commit there, and the rest is long done.
if "_commit" not in ANSWERS:
    if IN_SUITE:
        suite = HERE.parents[1]
        template = suite / "cookiecutter-template"
    else:
        template = Path(os.environ.get("PWD", "."), ANSWERS["_repo_dir"]).resolve()
        suite = template.parent
    remember_birth(template)
    print(welcome(take_port(suite), list(join(suite)) if IN_SUITE else []), flush=True)
