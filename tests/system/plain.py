"""The same packages on a root without systemd running, where no machine can be booted."""

from __future__ import annotations

import subprocess
from pathlib import Path

from machine import ENVIRONMENT, SUITE, Failed, Machine
from packages import Versions

#: A new network namespace has its loopback device down, and the root has no ip command.
LOOPBACK_UP = """
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14s", b"lo", 0x1 | 0x40, b""))
"""
SCRIPT = """
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
python3 -c '@LOOPBACK_UP@'
cp /srv/apt/archive-key.gpg /etc/apt/glassware.gpg
echo 'deb [signed-by=/etc/apt/glassware.gpg] file:/srv/apt ./' >/etc/apt/sources.list
apt-get -qq update
install() {
    for name in '' -common -archives -auth -tasks; do echo glassware$name=$1; done |
        xargs apt-get -qq -y --allow-downgrades install
}
ready() {
    for port in 7001 7002 7003; do
        for turn in $(seq 100); do
            curl -s --fail -o /dev/null "http://127.0.0.1:$port/health/ready" && continue 2
            sleep 0.2
        done
        curl -s "http://127.0.0.1:$port/health/ready"
        exit 1
    done
}
serve() {
    for name in archives auth tasks; do glassware-$name runserver >/root/$name.log 2>&1 & done
    ready
}
halt() { pkill -TERM -f /usr/lib/glassware; wait; }

install @PRESENT@
serve
glassware-auth users create-first-admin --json | grep -q password
halt
install @NEXT@
serve
halt
install @PRESENT@
serve
halt
apt-get -qq -y purge 'glassware*'
! find / -xdev -path /srv -prune -o -name '*glassware*' -print | grep -v -e /etc/apt -e /var/lib/apt
"""


def plain_root(base: Path, folder: Path, versions: Versions) -> str:
    """Install, serve, upgrade, go back and purge in a root of its own. Raises Failed."""
    script = SCRIPT.replace("@LOOPBACK_UP@", LOOPBACK_UP).replace("@PRESENT@", versions.present)
    script = script.replace("@NEXT@", versions.next)
    with Machine(base, folder, folder / "apt", name="plain") as machine:
        share, devices = machine.root / "srv/apt", machine.root / "dev"
        share.mkdir(parents=True)
        binds = f"mount --bind {machine.share} {share}; mount --rbind /dev {devices}"
        outside = f'{binds}; exec chroot {machine.root} sh -euc "$0"'
        namespaces = ["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        done = subprocess.run(
            ["unshare", *namespaces, "sh", "-euc", outside, script],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if done.returncode:
        raise Failed(f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return "installed, served, upgraded, served, rolled back, served, purged"


def piuparts(base: Path, folder: Path, versions: Versions) -> str:
    """Let Debian's own tool look for what an installation leaves behind. Raises Failed."""
    debs = sorted((folder / "apt/pool").glob(f"*_{versions.present}_*.deb"))
    how = ["--existing-chroot", base, "--tmpdir", "/dev/shm", "--no-upgrade-test", "--no-eatmydata"]
    how += ["--keep-sources-list", "--distribution", SUITE]
    # Logrotate's, which piuparts runs, and debconf's own, of Debian 13.
    for pattern in ("/var/lib/logrotate/status", "/var/cache/debconf/tmp.ci.*"):
        how += ["--ignore-regex", pattern]
    done = subprocess.run(
        ["piuparts", *how, *debs],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        told = [line for line in done.stdout.splitlines() if "ERROR" in line or "FAIL" in line]
        raise Failed("\n".join([*told, done.stdout[-2000:]]))
    return "piuparts: installed, removed, purged, nothing left"
