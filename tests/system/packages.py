"""The packages of a story of three versions: the present one, the next one, and a broken one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("debian", "deploy", "glassware", "services", "tools")
FILES = ("setup.cfg", "pyproject.toml", "README.rst", "CHANGES.rst", "LICENSE")
KEY = "Glassware system test"

ENTRY = """\
glassware ({version}) bookworm; urgency=medium

  * Made by the system test.

 -- The Glassware authors <glassware@lists.example.org>  Fri, 20 Nov 2026 10:00:00 +0000

"""
MIGRATION = """\
\"\"\"Made by the system test.\"\"\"

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{down}"


def upgrade() -> None:
    {body}
"""
ADDITION = 'op.add_column("{table}", sa.Column("kept_by_system_test", sa.String(9), nullable=True))'
BREAKAGE = """op.create_table("half_made", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO nowhere VALUES (1)")"""


@dataclass(frozen=True)
class Versions:
    """The present version, the next one, and the one whose migration fails."""

    present: str
    next: str
    broken: str


def versions() -> Versions:
    first = (ROOT / "debian/changelog").read_text().partition("\n")[0]
    found = re.search(r"\((\d+)\.(\d+)\.(\d+)\)", first)
    assert found, first
    major, minor, patch = map(int, found.groups())
    names = [f"{major}.{minor}.{patch + step}" for step in range(3)]
    return Versions(*names)


def make_tree(folder: Path, version: str, source: Path = ROOT) -> Path:
    """Return a copy of the source that calls itself the version."""
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", ".hypothesis")
    for name in FOLDERS:
        shutil.copytree(source / name, folder / name, ignore=ignored, symlinks=True)
    for name in FILES:
        shutil.copy2(source / name, folder / name)
    (folder / "build").mkdir()
    (folder / "build/wheelhouse").symlink_to(ROOT / "build/wheelhouse")
    log = folder / "debian/changelog"
    log.write_text(ENTRY.format(version=version) + log.read_text())
    for path in (folder / "setup.cfg", *folder.glob("services/*/setup.cfg")):
        path.write_text(re.sub(r"(?m)^version = .*", f"version = {version}", path.read_text()))
    return folder


def add_migration(tree: Path, service: str, body: str) -> str:
    """Add the service's next migration to the tree, and return its number."""
    folder = tree / f"services/{service}/src/glassware_{service}/migrations/versions"
    newest = max(int(path.name[:4]) for path in folder.glob("[0-9]*.py"))
    revision = f"{newest + 1:04}"
    text = MIGRATION.format(revision=revision, down=f"{newest:04}", body=body)
    (folder / f"{revision}_system_test.py").write_text(text)
    return revision


def build(tree: Path, pool: Path, *services: str) -> None:
    """Build the tree's packages; their tests ran when the present version was built."""
    made = tree / "build/debs"
    environ = {**os.environ, "INTO": str(made), "DEB_BUILD_OPTIONS": "nocheck"}
    subprocess.run([tree / "tools/deb", *services], env=environ, check=True, timeout=600)
    for path in made.glob("*.deb"):
        shutil.move(path, pool)


def make_all(folder: Path) -> Versions:
    """Build the three versions into a signed repository below the folder."""
    names = versions()
    pool = folder / "apt/pool"
    shutil.rmtree(folder / "apt", ignore_errors=True)
    pool.mkdir(parents=True)
    for path in (ROOT / "build/debs").glob(f"*_{names.present}_*.deb"):
        shutil.copy2(path, pool)
    following = make_tree(folder / "next", names.next)
    for service, table in (("tasks", "tasks"), ("auth", "users")):
        add_migration(following, service, ADDITION.format(table=table))
    build(following, pool)
    broken = make_tree(folder / "broken", names.broken, following)
    add_migration(broken, "tasks", BREAKAGE)
    build(broken, pool, "tasks")
    for tree in (following, broken):
        shutil.rmtree(tree)
    sign(folder)
    return names


def sign(folder: Path) -> None:
    """Write the repository's index, signed by a key made for this run."""
    home = folder / "gnupg"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    environ = {**os.environ, "GNUPGHOME": str(home)}
    new_key = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", KEY]
    subprocess.run([*new_key, "ed25519", "sign", "never"], env=environ, check=True)
    subprocess.run([ROOT / "tools/apt-repository", folder / "apt", KEY], env=environ, check=True)
    subprocess.run(["gpgconf", "--kill", "all"], env=environ, check=False)
