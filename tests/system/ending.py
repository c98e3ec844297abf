"""What must hold after all of that: no secret has leaked, and the suite leaves as it came."""

from __future__ import annotations

from pathlib import Path

from changes import Changes
from people import SERVICES, facts, require, wait_until_ready
from story import APT

#: Where to look for secrets, and what is there for certain. The packages need no look: they are the
#: same bytes whatever the machine is that builds them (tools/test-deb).
PLACES = {
    "environment": ("cat /proc/[0-9]*/environ", "LISTEN_FDS"),
    "processes": ("cat /proc/[0-9]*/cmdline", "runserver"),
    "journal": ("journalctl --no-pager -o export", "gunicorn"),
    "shown configuration": ("cat /root/shown", "app.secret_key"),
    "logs": ("find /var/log -type f -exec cat {} +", "glassware"),
}
#: Where anything is written at all.
WRITTEN = "/etc /var /run /tmp /root /home /dev/shm"


class WholeStory(Changes):
    """The story with its end."""

    def canary(self) -> str:
        """The planted secrets are nowhere but where they were put, for nobody but their service."""
        wait_until_ready(self.machine)
        self.machine.shell(
            "for s in archives auth tasks; do glassware-$s config show; done >/root/shown"
        )
        self.machine.write("/root/canaries", "\n".join(self.canaries.values()) + "\n", 0o600)
        for place, (script, known) in PLACES.items():
            text = f"{{ {script}; }} 2>/dev/null"
            there = self.machine.shell(f"{text} | grep -acF {known} || true")
            require(there != "0", f"there is nothing to search in: {place}")
            count = self.machine.shell(f"{text} | grep -acFf /root/canaries || true")
            require(count == "0", f"{count} times a secret in: {place}")
        for name in SERVICES:
            found = self.readable(name)
            units = ("", "-worker")
            own = {f"/run/credentials/glassware-{name}{unit}.service" for unit in units}
            require(found, f"{name} cannot read its own secret, so the search found nothing")
            require({str(Path(path).parent) for path in found} <= own, f"{name} may read {found}")
        left = self.machine.shell("find /run/glassware -mindepth 1 ! -name '*.sock'")
        require(not left, f"left behind: {left}")
        return f"{len(PLACES)} places and {len(SERVICES)} users' files"

    def readable(self, service: str) -> list[str]:
        """Return the files with a secret that the service's user may read."""
        user = f"glassware-{service}"
        self.machine.shell(f"install -m 0444 /root/canaries /tmp/patterns-{service}")
        script = (
            f"setpriv --reuid={user} --regid={user} --init-groups grep -rlsF --devices=skip"
            f" -f /tmp/patterns-{service} --exclude='patterns-*' {WRITTEN} || true"
        )
        found = self.machine.shell(script).splitlines()
        self.machine.shell(f"rm /tmp/patterns-{service}")
        return [path for path in found if path.startswith("/")]

    def remove(self) -> str:
        """Removal keeps configuration, secrets and data; the next installation finds them."""
        before = facts(self.machine)
        self.apt("remove 'glassware*'")
        require(
            not self.machine.shell("pgrep -f '[/]usr/lib/glassware' || true"), "processes remain"
        )
        require(facts(self.machine) == before, "the data changed")
        self.install_version(self.versions.next)
        wait_until_ready(self.machine)
        require(facts(self.machine) == before, "the data changed")
        key = self.machine.shell("cat /etc/glassware/credentials/tasks/app.secret_key")
        require(key == self.canaries["tasks"], "the secret changed")
        return "data, secrets and settings kept"

    def purge(self) -> str:
        """Purging leaves nothing but the system users, whose numbers must not be given away."""
        self.machine.shell(f"{APT} purge 'glassware*'; systemctl daemon-reload; rm -rf /tmp/*")
        left = {path for path in self.files() - self.before if "glassware" in path}
        require(not left, f"left behind: {sorted(left)}")
        units = self.machine.shell(
            "systemctl list-units --state=loaded,active,failed --no-legend 'glassware*'"
        )
        require(not units, f"left behind: {units}")
        return "nothing left"
