"""A copy of the suite in a git repository of its own, to make services in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
        self.commit(self.suite, "The suite")

    def run(self, where: Path, *words: str, expect: int | None = 0, text: str = "") -> Done:
        """Run a program as somebody would who has nothing configured."""
        environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PYTHONPATH": str(where / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MYPYPATH": str(self.suite),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        done = subprocess.run(
            words, cwd=where, env=environ, input=text, capture_output=True, text=True, timeout=120
        )
        assert expect in (None, done.returncode), f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def python(self, where: Path, *words: str, **kwargs: object) -> Done:
        return self.run(where, sys.executable, *words, **kwargs)

    def new(self, *words: str, **kwargs: object) -> Done:
        return self.run(self.suite, "glassware", "new", *words, **kwargs)

    def manage(self, service: Path, *words: str, **kwargs: object) -> Done:
        return self.python(service, "manage.py", *words, **kwargs)

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
