"""A copy of the suite in a git repository of its own, to make services in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

from click.testing import CliRunner, Result

from glassware.cli.suite import main

ROOT = Path(__file__).parents[2]
COPIED = (
    ".gitignore",
    "cookiecutter-template",
    "debian",
    "glassware",
    "pyproject.toml",
    "requirements",
    "services",
    "setup.cfg",
)
LEFT = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "var", ".*_cache", ".tox")
Done = subprocess.CompletedProcess[str]


class Checkout:
    """A suite to make services in. Nothing of it refers to the one under test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.suite = folder / "suite"
        self.suite.mkdir(parents=True)
        for name in COPIED:
            source, target = ROOT / name, self.suite / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=LEFT, symlinks=True)
            else:
                shutil.copy(source, target)
        self.environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MYPYPATH": str(self.suite),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        self.commit(self.suite, "The suite")

    def run(self, where: Path, *words: str, expect: int = 0, **kwargs: str) -> Done:
        """Run a program as somebody would who has nothing configured."""
        environ = {"PYTHONPATH": str(where / "src"), **self.environ}
        done = subprocess.run(
            words, cwd=where, env=environ, capture_output=True, text=True, timeout=120, **kwargs
        )
        assert done.returncode == expect, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def python(self, where: Path, *words: str, expect: int = 0) -> Done:
        return self.run(where, sys.executable, *words, expect=expect)

    def manage(self, service: Path, *words: str, expect: int = 0) -> Done:
        return self.python(service, "manage.py", *words, expect=expect)

    def new(self, *words: str, expect: int = 0) -> Result:
        """Make a service, asking nothing."""
        command = ["--root", str(self.suite), "new", "--yes", *words]
        result = CliRunner(env=self.environ).invoke(main, command)
        assert result.exit_code == expect, result.output
        return result

    def commit(self, repository: Path, message: str) -> str:
        """Commit all there is, and return the commit."""
        if not (repository / ".git").exists():
            self.run(repository, "git", "init", "--quiet")
        self.run(repository, "git", "add", "--all")
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
        self.run(repository, "git", *who, "commit", "--quiet", "--allow-empty", "-m", message)
        return self.run(repository, "git", "rev-parse", "HEAD").stdout.strip()

    def rewrite(self, file: str, old: str, new: str) -> None:
        """Change a file of the template."""
        change(next(self.suite.glob(f"cookiecutter-template/*cookiecutter*/{file}")), old, new)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new))


def installed(checkout: Checkout, service: Path) -> Path:
    """Make the metadata that an installation would make: a service knows its version by it."""
    checkout.python(service, "-c", "import setuptools; setuptools.setup()", "-q", "egg_info")
    return service


def lists(suite: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield each list of the suite that must name every service, with the names it has."""
    parser = ConfigParser(interpolation=None)
    parser.read(suite / "setup.cfg")
    for section, option in {
        "coverage:run": "source",
        "importlinter": "root_packages",
        "importlinter:contract:chassis": "forbidden_modules",
        "importlinter:contract:services": "modules",
    }.items():
        packages = set(parser[section][option].split()) - {"glassware"}
        yield option, {package.removeprefix("glassware_") for package in packages}
    projects = (suite / "requirements" / "projects.txt").read_text()
    yield "projects.txt", set(re.findall(r"^-e services/(\w+)$", projects, re.M))
    control = (suite / "debian" / "control").read_text()
    packages = set(re.findall(r"^Package: glassware-(\w+)$", control, re.M))
    yield "the packages", packages - {"common"}
    yield (
        "what the whole needs",
        set(re.findall(r"glassware-(\w+) .*,$", control, re.M)) - {"common"},
    )
