"""What must not do lasting harm: power cuts in the middle of an upgrade, a full disk."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path

from machine import Machine, mount
from packages import Versions
from people import SERVICES, Load, facts, load, require, wait_until_ready
from story import APT, Story

#: What the disk has left when the upgrade begins: less than one service unpacked.
ROOM = 40 * 1024**2
PIN = "Package: glassware*\nPin: version {version}\nPin-Priority: 1001\n"


class Accidents:
    """Upgrades that go wrong, each on a machine as it was after the first day of use.

    ``snapshot`` is that machine's disk, ``story`` knows its callers.
    """

    def __init__(self, base: Path, folder: Path, snapshot: Path, story: Story) -> None:
        self.base, self.folder, self.snapshot, self.story = base, folder, snapshot, story
        self.versions: Versions = story.versions

    def machine(self, name: str) -> Machine:
        return Machine(self.base, self.folder, self.story.machine.share, name=name)

    def restore(self, machine: Machine) -> Story:
        """Boot the machine from the snapshot; return its story."""
        subprocess.run(["cp", "-a", f"{self.snapshot}/.", str(machine.disk)], check=True)
        # A new overlay: what is put below one that is mounted would not be seen.
        machine.remount()
        machine.boot()
        story = Story(machine, self.versions)
        story.client, story.person = self.story.client, self.story.person
        # Also for `apt -f install`: the one after it is broken.
        machine.write("/etc/apt/preferences.d/next", PIN.format(version=self.versions.next))
        wait_until_ready(machine)
        return story

    def power_cuts(self, seed: int, count: int, seconds: float) -> str:
        """Cut the power at random moments of the upgrade; then dpkg heals, and no row is lost."""
        moments = [random.Random(f"{seed}.{turn}").uniform(0, seconds) for turn in range(count)]
        states = [self.power_cut(moment, turn) for turn, moment in enumerate(moments)]
        return ", ".join(
            f"{moment:.1f} s {state}" for moment, state in zip(moments, states, strict=True)
        )

    def power_cut(self, moment: float, turn: int) -> str:
        """Cut the power so many seconds after apt began; return how dpkg healed."""
        with self.machine(f"cut{turn}") as machine:
            story = self.restore(machine)
            before = facts(machine)
            apt = subprocess.Popen(
                machine.enter("sh", "-c", f"{APT} install 'glassware*'"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(moment)
            over = apt.poll() is not None
            machine.kill()
            apt.wait(30)
            machine.boot(whole=False)
            how = heal(story)
            story.install_version(self.versions.next)
            wait_until_ready(machine)
            now = facts(machine)
            for name in ("auth", "tasks"):
                require(
                    now[name] == before[name], f"{name} had {before[name]} rows, now {now[name]}"
                )
            for name in SERVICES:
                require(story.running(name) == self.versions.next, f"{name} is not the new one")
            return "(over)" if over else how

    def full_disk(self) -> Load:
        """The upgrade fails, the old version serves on; with room again, it succeeds."""
        with self.machine("full") as machine:
            story = self.restore(machine)
            disk = machine.folder / "disk"
            used = shutil.disk_usage(disk).used
            mount("-o", f"remount,size={used + ROOM}", disk)
            story.caller.get_token(story.client)
            with load(story.caller, story.person, "reads") as found:
                told = story.install_version(self.versions.next, check=False)
            require("No space left on device" in told, f"the disk was not full: {told[-1500:]}")
            require(not found.failed, f"{found.failed} of {found.sent} failed: {found.outcomes}")
            for name in SERVICES:
                require(story.running(name) == self.versions.present, f"{name} was replaced")
            mount("-o", "remount,size=2g", disk)
            heal(story)
            story.install_version(self.versions.next)
            wait_until_ready(machine)
            return found


def heal(story: Story) -> str:
    """Do what dpkg and apt tell an operator to do; return how much of it was needed."""
    configured = story.machine.run("dpkg", "--configure", "-a", check=False)
    if configured.returncode == 0 and not story.machine.run("dpkg", "--audit").stdout.strip():
        return "healed by dpkg"
    # Cut off while it was unpacked: dpkg says to reinstall it.
    flags = story.machine.run("dpkg-query", "-W", "-f", "${db:Status-Eflag} ${Package}\n").stdout
    torn = [line.split()[1] for line in flags.splitlines() if line.startswith("reinstreq")]
    if torn:
        story.apt(f"--reinstall install {' '.join(torn)}")
    story.apt("-f install")
    story.machine.run("dpkg", "--configure", "-a")
    return f"healed by dpkg and apt{', which reinstalled ' + ' '.join(torn) if torn else ''}"
