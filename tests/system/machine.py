"""A Debian machine with a real systemd, on a fresh root, without a network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from zlib import crc32

SUITE = os.environ.get("SUITE", "bookworm")
#: What the services need of Debian is in the root already: the machine has no network.
PACKAGES = (
    "systemd,systemd-sysv,dbus,python3,libarchive13,nginx-light,curl,openssl,procps,postgresql,"
    "logrotate"
)
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
BOOT_TIMEOUT = 60.0


class CannotBoot(Exception):
    """This machine cannot boot another one; the message says why."""


class Failed(Exception):
    """A command in the machine failed."""


def make_base(folder: Path) -> Path:
    """Return a Debian root with systemd in the folder, made once."""
    command = ["mmdebstrap", "--variant=minbase", "--quiet", f"--include={PACKAGES}"]
    command += ["--dpkgopt=force-unsafe-io", SUITE]
    base = folder / f"base-{crc32(repr(command).encode()):x}"
    if not base.exists():
        draft = folder / "base.draft"
        shutil.rmtree(draft, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([*command, str(draft)], check=True, timeout=600)
        (draft / "etc/dpkg/dpkg.cfg.d/99mmdebstrap").unlink()
        (draft / "etc/hosts").write_text("127.0.0.1 localhost\n")
        (draft / "etc/apt/sources.list").unlink()
        # Started only by who needs it: it would make every boot slower.
        (draft / "etc/systemd/system/multi-user.target.wants/postgresql.service").unlink()
        draft.rename(base)
    return base


class Machine:
    """A machine on a copy of the base that lives in memory.

    ``share`` is a folder that it sees, read-only, as /srv/apt. ``size`` is that of its disk. Use it
    as a context manager; everything is gone afterwards.
    """

    def __init__(
        self, base: Path, folder: Path, share: Path, *, name: str = "glassware", size: str = "2g"
    ) -> None:
        self.base, self.share, self.name, self.size = base, share, name, size
        self.folder = folder / name
        self.root = self.folder / "root"
        self.leader = 0
        self.host: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Machine:
        for path in (self.folder, self.root):
            path.mkdir(parents=True, exist_ok=True)
        disk = self.folder / "disk"
        disk.mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", f"size={self.size},mode=0755", "tmpfs", disk)
        for name in ("upper", "work"):
            (disk / name).mkdir()
        self.remount()
        return self

    def remount(self) -> None:
        """Lay the disk over the base, anew where that was done before."""
        subprocess.run(["umount", "--quiet", str(self.root)], check=False)
        disk = self.folder / "disk"
        layers = f"lowerdir={self.base},upperdir={disk / 'upper'},workdir={disk / 'work'}"
        mount("-t", "overlay", "-o", layers, "overlay", self.root)

    def __exit__(self, *_: object) -> None:
        self.kill()
        for path in (self.root, self.folder / "disk"):
            subprocess.run(["umount", "--lazy", str(path)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def disk(self) -> Path:
        """What this machine's root has beside the base."""
        return self.folder / "disk" / "upper"

    def boot(self, *, whole: bool = True) -> None:
        """Boot and wait until all is up, without a failed unit if ``whole``. Raises CannotBoot."""
        command = ["systemd-nspawn", "--boot", "--quiet", "--register=no", "--keep-unit"]
        places = [f"--directory={self.root}", f"--bind-ro={self.share}:/srv/apt"]
        with (self.folder / "boot.log").open("ab") as log:
            self.host = subprocess.Popen(
                [
                    *command,
                    *places,
                    "--private-network",
                    "--console=pipe",
                    f"--machine={self.name}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.leader = self.find_leader(time.monotonic() + BOOT_TIMEOUT)
        state = self.run("systemctl", "is-system-running", "--wait", check=False).stdout.strip()
        if whole and state != "running":
            failed = self.run("systemctl", "--failed", "--no-legend", check=False).stdout
            raise CannotBoot(f"the machine is {state or 'not up'}: {failed}")

    def find_leader(self, deadline: float) -> int:
        """Return the process that is the machine's systemd, never one still on this side."""
        assert self.host is not None
        while time.monotonic() < deadline:
            if self.host.poll() is not None:
                break
            for child in children(self.host.pid):
                status = Path(f"/proc/{child}/status").read_text()
                inner = next(line for line in status.splitlines() if line.startswith("NSpid"))
                if inner.split()[-1] == "1" and "Name:\tsystemd\n" in status and is_up(child):
                    return child
            time.sleep(0.05)
        log = (self.folder / "boot.log").read_text(errors="replace").strip()
        raise CannotBoot(f"systemd-nspawn: {log[-500:] or 'no systemd after 60 s'}")

    def enter(self, *words: str) -> list[str]:
        """Return the command that runs the words inside."""
        settings = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        return ["nsenter", "-t", str(self.leader), "-a", "env", "-i", *settings, *words]

    def run(
        self, *words: str, input: str | None = None, check: bool = True, timeout: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root. Raises Failed with what it printed."""
        done = subprocess.run(
            self.enter(*words),
            input=input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            shown = " ".join(words)[:300]
            raise Failed(f"`{shown}` ended with {done.returncode}:\n{done.stdout[-3000:]}")
        return done

    def shell(self, script: str, **options: Any) -> str:
        """Run a shell script as root and return what it printed. Raises Failed."""
        return self.run("sh", "-euc", script, **options).stdout.strip()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of root's."""
        folder = str(Path(path).parent)
        script = 'mkdir -p "$0" && cat >"$1" && chmod "$2" "$1"'
        self.run("sh", "-euc", script, folder, path, f"{mode:o}", input=text)

    def kill(self) -> None:
        """Take the power away: every process of the machine is gone at once."""
        if self.host is not None:
            if self.leader:
                os.kill(self.leader, signal.SIGKILL)
            else:
                self.host.kill()
            self.host.wait(30)
            self.host, self.leader = None, 0


def mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in found.split()]


def is_up(pid: int) -> bool:
    """Return whether the process has a root and a process namespace of its own."""
    own, theirs = (Path(f"/proc/{which}/ns/mnt").readlink() for which in ("self", pid))
    comm = Path(f"/proc/{pid}/comm").read_text().strip()
    bus = Path(f"/proc/{pid}/root/run/systemd/private")
    return own != theirs and comm == "systemd" and bus.exists()
