"""The packages of a story of three versions: the present one, the next one, and a broken one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from machine import SUITE

ROOT = Path(__file__).resolve().parents[2]
DEBS = ROOT / ("build/debs" if SUITE == "bookworm" else f"build/{SUITE}/debs")
KEY = "Glassware system test"

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
TABLES = {"glassware-tasks": "tasks", "glassware-auth": "users"}
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


def remake(deb: Path, pool: Path, version: str, body: str = "") -> None:
    """Put the package into the pool once more, as the version, with one more migration if given.

    So that nothing is built again: what differs between two versions here is all that is looked at.
    """
    name, old, _ = deb.name.split("_")
    with TemporaryDirectory(dir=pool.parent) as folder:
        tree = Path(folder) / name
        subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
        pattern = rf"(^Version: |\(>= ){re.escape(old)}(?=$|\))"
        packages = next(tree.glob("usr/lib/glassware/*/lib/*/site-packages"), tree)
        installed = [*packages.glob(f"glassware*-{old}.dist-info")]
        for path in (tree / "DEBIAN/control", *(each / "METADATA" for each in installed)):
            path.write_text(re.sub(pattern, rf"\g<1>{version}", path.read_text(), flags=re.M))
        for path in installed:
            path.rename(str(path).replace(f"-{old}.", f"-{version}."))
        if body:
            add_migration(next(packages.glob("glassware_*/migrations/versions")), body)
        pack = ["dpkg-deb", "-Zzstd", "-z1", "--root-owner-group", "--build", tree, pool]
        subprocess.run(pack, check=True, stdout=subprocess.DEVNULL, timeout=120)


def add_migration(folder: Path, body: str) -> None:
    """Add the next migration to the folder."""
    newest = max(int(path.name[:4]) for path in folder.glob("[0-9]*.py"))
    revision = f"{newest + 1:04}"
    text = MIGRATION.format(revision=revision, down=f"{newest:04}", body=body)
    (folder / f"{revision}_system_test.py").write_text(text)


def make_all(folder: Path) -> Versions:
    """Make the three versions into a signed repository below the folder."""
    names = versions()
    pool = folder / "apt/pool"
    shutil.rmtree(folder / "apt", ignore_errors=True)
    pool.mkdir(parents=True)
    made = []
    for deb in DEBS.glob(f"*_{names.present}_*.deb"):
        shutil.copy2(deb, pool)
        table = TABLES.get(deb.name.partition("_")[0])
        made.append((deb, pool, names.next, ADDITION.format(table=table) if table else ""))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda each: remake(*each), made))
    for name, body in (("tasks", BREAKAGE), ("common", "")):
        remake(next(pool.glob(f"glassware-{name}_{names.next}_*")), pool, names.broken, body)
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
