"""The repository: signed, every version kept, a version published once; and what is deployed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

pytestmark = pytest.mark.jenkins

ROOT = Path(__file__).parents[2]
OURS, THEIRS = "Ours <ours@example.org>", "Theirs <theirs@example.org>"
CONTROL = """\
Package: glassware-{name}
Version: {version}
Architecture: all
Maintainer: Test <test@example.org>
Description: {content}
"""


class Release:
    """A folder of packages, a repository, and a keyring with two keys."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.debs, self.repository = folder, folder / "debs", folder / "apt"
        self.debs.mkdir()
        home = folder / "gnupg"
        home.mkdir(mode=0o700)
        self.environ = {**os.environ, "GNUPGHOME": str(home), "DEBS": str(self.debs)}
        for key in (OURS, THEIRS):
            self.run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key",
                     key, "ed25519", "sign", "never")  # fmt: skip

    def run(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=self.environ, cwd=ROOT, capture_output=True, text=True, check=check
        )

    def build(self, name: str, version: str, content: str = "same") -> None:
        tree = self.folder / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        control = CONTROL.format(name=name, version=version, content=content)
        (tree / "DEBIAN/control").write_text(control)
        self.run("dpkg-deb", "--root-owner-group", "-b", tree, self.debs)
        shutil.rmtree(tree)

    def clear(self) -> None:
        for path in self.debs.iterdir():
            path.unlink()

    def sign(self, key: str = OURS) -> None:
        self.run("make", "sign", f"KEY={key}")

    def publish(self, key: str = OURS) -> subprocess.CompletedProcess[str]:
        given = (f"REPOSITORY={self.repository}", f"KEY={key}")
        return self.run("make", "publish", *given, check=False)

    def pool(self) -> set[str]:
        return {path.name for path in self.repository.glob("pool/*")}

    def index(self) -> str:
        return (self.repository / "Packages").read_text()


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Release]:
    made = Release(tmp_path)
    yield made
    subprocess.run(["gpgconf", "--kill", "all"], env=made.environ, check=False)


def test_every_version_stays_and_the_index_is_signed(release: Release) -> None:
    for version in ("1.0", "1.1"):
        release.clear()
        release.build("tasks", version)
        release.sign()
        done = release.publish()
        assert done.returncode == 0, done.stderr
    assert release.pool() == {"glassware-tasks_1.0_all.deb", "glassware-tasks_1.1_all.deb"}
    assert "Version: 1.0\n" in release.index()
    assert "Version: 1.1\n" in release.index()
    key, signed = release.repository / "archive-key.gpg", release.repository / "InRelease"
    assert release.run("gpgv", "--keyring", key, signed).returncode == 0


def test_who_reads_meanwhile_finds_what_the_signature_names(release: Release) -> None:
    release.build("tasks", "1.0")
    release.sign()
    assert release.publish().returncode == 0
    over, seen, wrong = threading.Event(), set(), []

    def read() -> None:
        while not over.is_set():
            index = (release.repository / "InRelease").read_text()
            digest = re.search(r"SHA256:\n (\w{64}) +\d+ Packages\n", index)[1]
            named = release.repository / "by-hash/SHA256" / digest
            if not named.exists() or sha256(named.read_bytes()).hexdigest() != digest:
                wrong.append(digest)
            seen.add(digest)

    reader = threading.Thread(target=read)
    reader.start()
    for version in ("1.1", "1.2", "1.3"):
        release.build("tasks", version)
        release.sign()
        assert release.publish().returncode == 0
    over.set()
    reader.join()
    assert not wrong
    assert len(seen) > 1


def test_apt_believes_the_index_and_finds_each_version(release: Release, tmp_path: Path) -> None:
    for version in ("1.0", "1.1"):
        release.build("tasks", version)
    release.sign()
    assert release.publish().returncode == 0
    root = tmp_path / "root"
    for name in ("etc/apt/preferences.d", "state/lists/partial", "cache/archives/partial"):
        (root / name).mkdir(parents=True)
    source = f"deb [signed-by={release.repository}/archive-key.gpg] file:{release.repository} ./\n"
    (root / "sources").write_text(source)
    (root / "status").touch()
    places = {"etc::sourcelist": "sources", "etc::sourceparts": "-", "etc": "etc/apt",
              "state": "state", "cache": "cache", "state::status": "status"}  # fmt: skip
    where = [f"-oDir::{name}={root / place}" for name, place in places.items()]
    apt = [*where, "-oAPT::Sandbox::User=root"]
    updated = release.run("apt-get", *apt, "-qq", "--error-on=any", "update", check=False)
    assert updated.returncode == 0, updated.stderr
    found = release.run("apt-cache", *apt, "madison", "glassware-tasks").stdout
    assert [line.split(" | ")[1].strip() for line in found.splitlines()] == ["1.1", "1.0"]


def test_a_version_is_published_once(release: Release) -> None:
    release.build("auth", "1.0")
    release.build("tasks", "1.0")
    release.sign()
    assert release.publish().returncode == 0
    assert release.publish().returncode == 0, "the same bytes do no harm"
    before = (release.pool(), release.index())
    release.build("archives", "1.0")
    release.build("tasks", "1.0", "changed")
    release.sign()
    done = release.publish()
    assert done.returncode != 0
    assert "glassware-tasks_1.0_all.deb is published with other content" in done.stderr
    assert (release.pool(), release.index()) == before


def test_only_what_was_signed_is_published(release: Release) -> None:
    release.build("tasks", "1.0")
    assert release.publish().returncode != 0, "not signed"
    release.sign(THEIRS)
    assert release.publish().returncode != 0, "signed by somebody else"
    release.sign()
    release.build("tasks", "1.0", "changed since")
    assert release.publish().returncode != 0, "other bytes than those that were signed"
    assert not release.pool()
    release.sign()
    assert release.publish().returncode == 0


def test_the_pipeline_signs_publishes_and_deploys(release: Release) -> None:
    release.build("tasks", "1.0")
    reach = release.folder / "reach"
    reach.write_text(f'#!/bin/sh\n[ "$1" = root@one ] && tar -x -C {release.folder}\n')
    reach.chmod(0o755)
    release.environ["SSH"] = str(reach)
    given = [f"REPOSITORY={release.repository}", f"KEY={OURS}", "HOSTS=one", "PUBLISH=true"]
    done = release.run("make", "pipeline", *given, "STAGES=Publish,Deploy", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert release.pool() == {"glassware-tasks_1.0_all.deb"}
    assert (release.folder / "manifests/site.pp").exists()
    assert done.stdout.strip().endswith("== SUCCESS")


@pytest.mark.parametrize("target", ["sign", "publish", "deploy"])
def test_a_target_that_lacks_something_says_what_to_type(release: Release, target: str) -> None:
    done = release.run("make", target, check=False)
    assert done.returncode != 0
    assert f"Type this: make {target} " in done.stderr


def test_a_deployment_stops_at_the_first_machine_that_is_not_well(release: Release) -> None:
    reach = release.folder / "reach"
    log = release.folder / "reached"
    reach.write_text(f'#!/bin/sh\necho "$1" >>{log}\ncat >/dev/null\n[ "$1" != root@two ]\n')
    reach.chmod(0o755)
    release.environ["SSH"] = str(reach)
    done = release.run("make", "deploy", "HOSTS=one two three", check=False)
    assert done.returncode != 0
    assert log.read_text().split() == ["root@one", "root@two"]
    assert "deploy: two is not well" in done.stderr


def test_changed_services_are_those_whose_packages_differ(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, tree], check=True)
    shutil.copy2(ROOT / "tools/changed", tree / "tools/changed")

    def changed(base: str) -> list[str]:
        environ = {**os.environ, "BASE": base}
        done = subprocess.run([tree / "tools/changed"], env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    everything = sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir())
    assert changed("HEAD") == []
    assert changed("0" * 40) == changed("") == everything
    (tree / "docs/index.rst").write_text("changed")
    assert changed("HEAD") == []
    (tree / "services/tasks/README.rst").write_text("changed")
    assert changed("HEAD") == ["tasks"]
    (tree / "glassware/problems.py").write_text("changed")
    assert changed("HEAD") == everything
