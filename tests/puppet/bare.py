"""A bare Debian machine, and the repositories that it installs from."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from zlib import crc32

from machine import SUITE

ROOT = Path(__file__).resolve().parents[2]
#: All that is there before Puppet runs; `make deploy` comes by ssh.
PACKAGES = "systemd,systemd-sysv,dbus,openssh-server,puppet-agent"
#: What Puppet installs of Debian's; the machine has no network, so it gets them from a folder.
WANTED = "nginx postgresql-15 curl python3.11 libarchive13"
KEY = "Glassware apply test"


def make_base(folder: Path) -> Path:
    """Return a Debian root with systemd and Puppet, made once; Debian's packages lie beside it."""
    base = folder / f"base-{SUITE}-{crc32((PACKAGES + WANTED).encode()):x}"
    if not base.exists():
        draft, debian = folder / "base.draft", folder / "debian"
        for path in (draft, debian):
            shutil.rmtree(path, ignore_errors=True)
        debian.mkdir(parents=True)
        fetch = f'chroot "$1" apt-get -qq install --download-only -y {WANTED}'
        hooks = [
            'chroot "$1" apt-get -qq update',
            fetch,
            f"copy-out /var/cache/apt/archives {debian}",
        ]
        command = ["mmdebstrap", "--variant=minbase", "--quiet", f"--include={PACKAGES}"]
        command += ["--dpkgopt=force-unsafe-io"]
        command += [f"--customize-hook={hook}" for hook in hooks]
        subprocess.run([*command, SUITE, str(draft)], check=True, timeout=600)
        (debian / "archives").rename(debian / "pool")
        (draft / "etc/apt/sources.list").unlink()
        (draft / "etc/dpkg/dpkg.cfg.d/99mmdebstrap").unlink()
        (draft / "etc/hosts").write_text("127.0.0.1 localhost\n")
        draft.rename(base)
    return base


class Archive:
    """Keeps the repositories as an operator does, by `make sign` and `make publish`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "apt"
        self.debian = folder / "debian"
        home = folder / "gnupg"
        for path in (self.folder, home):
            shutil.rmtree(path, ignore_errors=True)
        self.folder.mkdir()
        home.mkdir(mode=0o700)
        self.environ = {**os.environ, "GNUPGHOME": str(home)}
        self.run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key",
                 KEY, "ed25519", "sign", "never")  # fmt: skip
        self.key = self.run("gpg", "--armor", "--export", KEY)

    def run(self, *words: str | Path) -> str:
        done = subprocess.run(
            words, env=self.environ, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE
        )
        return done.stdout

    def publish(self) -> None:
        """Publish what `make deb` built, and what is Debian's."""
        shutil.copytree(self.debian / "pool", self.folder / "debian/pool", copy_function=os.link)
        self.run("tools/apt-repository", self.folder / "debian", KEY)
        self.run("make", "sign", f"KEY={KEY}")
        self.run("make", "publish", f"REPOSITORY={self.folder / 'glassware'}", f"KEY={KEY}")

    def publish_as(self, version: str, *packages: str) -> None:
        """Publish the packages once more, under another version."""
        pool = self.folder / "glassware/pool"
        work = self.folder / "work"
        for package in packages:
            (deb,) = pool.glob(f"{package}_*.deb")
            self.run("dpkg-deb", "-R", deb, work)
            control = work / "DEBIAN/control"
            lines = control.read_text().splitlines(keepends=True)
            changed = [f"Version: {version}\n" if x.startswith("Version:") else x for x in lines]
            control.write_text("".join(changed))
            self.run("dpkg-deb", "-Znone", "-b", work, pool)
            shutil.rmtree(work)
        self.run("tools/apt-repository", self.folder / "glassware", KEY)

    def close(self) -> None:
        subprocess.run(["gpgconf", "--kill", "all"], env=self.environ, check=False)
