"""What must hold on a machine from the first installation to the last trace being gone."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from machine import Machine
from packages import Versions
from people import (
    CERTIFICATE,
    DOMAIN,
    SERVICES,
    Caller,
    Load,
    facts,
    load,
    require,
    wait_until_ready,
)

UNITS = [f"glassware-{name}{kind}" for name in SERVICES for kind in ("", "-migrate")]
#: The most that a unit may be exposed, in tenths, as systemd-analyze counts it.
EXPOSURE, EXPOSURE_WITHOUT_NETWORK = 12, 6
SITE = """\
[service]
public_url = https://{name}.{domain}
[server]
trusted_hosts = {name}.{domain}, 127.0.0.1
[limits]
default =
"""
#: The names, a certificate for them, and the shipped site with both.
SITES = f"""
sed -i 's/localhost/localhost auth.{DOMAIN} tasks.{DOMAIN} archives.{DOMAIN}/' /etc/hosts
mkdir -p {CERTIFICATE.parent}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={DOMAIN} \\
    -addext 'subjectAltName=DNS:*.{DOMAIN}' -out {CERTIFICATE} \\
    -keyout {CERTIFICATE.with_name("privkey.pem")} 2>/dev/null
rm /etc/nginx/sites-enabled/default
cp /usr/share/doc/glassware/examples/glassware.conf /etc/nginx/sites-enabled/
"""
SOURCE = "deb [signed-by=/etc/apt/glassware.gpg] file:/srv/apt ./\n"
APT = "apt-get -qq -y -o Dpkg::Use-Pty=0"
SKIPPED = ("/proc", "/sys", "/dev", "/srv", "/var/lib/apt/lists")


class Story:
    """One machine's life. Each case returns what is worth a line in the table."""

    def __init__(self, machine: Machine, versions: Versions) -> None:
        self.machine, self.versions = machine, versions
        self.caller = Caller(machine)
        self.client: dict[str, str] = {}
        self.person = ""
        self.canaries = {name: f"canary-{name}-{secrets.token_hex(16)}" for name in SERVICES}
        self.before: set[str] = set()

    def apt(self, words: str, **options: Any) -> str:
        return self.machine.run("sh", "-c", f"{APT} {words}", **options).stdout

    def install_version(self, version: str, names: str = "", **options: Any) -> str:
        """Install the version of all packages, or of those named."""
        chosen = names.split() or ["", "-common", *(f"-{name}" for name in SERVICES)]
        packages = " ".join(f"glassware{name}={version}" for name in chosen)
        return self.apt(f"--allow-downgrades install {packages}", **options)

    def version(self, service: str) -> str:
        """Return the package's version and state, as dpkg tells them."""
        asked = "${Version} ${db:Status-Abbrev}"
        return self.machine.run("dpkg-query", "-Wf", asked, f"glassware-{service}").stdout.strip()

    # The life

    def install(self) -> str:
        """Only a signed repository is believed; one command brings the suite up."""
        self.before = self.files()
        self.machine.write("/etc/apt/sources.list", SOURCE)
        refused = self.apt("update", check=False)
        require("NO_PUBKEY" in refused or "not signed" in refused, f"no key, yet: {refused}")
        self.machine.shell("cp /srv/apt/archive-key.gpg /etc/apt/glassware.gpg")
        self.apt("update")
        for name, canary in self.canaries.items():
            self.machine.write(f"/etc/glassware/credentials/{name}/app.secret_key", canary, 0o600)
        self.install_version(self.versions.present)
        return f"{len(SERVICES)} services, {self.versions.present}"

    def configure(self) -> str:
        """A site for the web server, a name for each service; then all are ready."""
        for name in SERVICES:
            self.machine.write(
                f"/etc/glassware/{name}.d/site.ini", SITE.format(name=name, domain=DOMAIN)
            )
        self.machine.shell(SITES)
        self.machine.run("nginx", "-t")
        self.machine.run(
            "systemctl", "restart", "nginx", *(f"glassware-{name}" for name in SERVICES)
        )
        wait_until_ready(self.machine)
        return "ready behind nginx"

    def use(self) -> str:
        """An administrator, a service account, a token; a task in JSON and in XML; an archive."""
        run, ask = self.machine.run, self.caller.ask
        admin = json.loads(run("glassware-auth", "users", "create-first-admin", "--json").stdout)
        require(admin["created"] and admin["password"], f"no administrator: {admin}")
        listed = run("glassware-auth", "users", "list").stdout.split()
        self.person = f"http://127.0.0.1:7001/users/{listed[1]}"
        scopes = "tasks:read tasks:write tasks:admin users:read archives:write"
        made = run("glassware-auth", "clients", "create", "tester", "--scopes", scopes, "--json")
        self.client = json.loads(made.stdout)
        self.caller.get_token(self.client)
        task = {"title": "Grüße & <Küsse>", "person": self.person}
        ask("POST", "tasks", "/tasks", body=task, expect=201)
        in_json = json.loads(ask("GET", "tasks", "/tasks"))["items"]
        in_xml = ask("GET", "tasks", "/tasks", Accept="application/xml")
        require([item["title"] for item in in_json] == [task["title"]], f"read {in_json}")
        require("<title>Grüße &amp; &lt;Küsse&gt;</title>" in in_xml, f"read {in_xml}")
        require(
            in_json[0]["url"].startswith(f"https://tasks.{DOMAIN}/"),
            f"links to {in_json[0]['url']}",
        )
        ask("GET", "tasks", "/metrics", expect=404)
        return self.archive()

    def archive(self) -> str:
        """An archive of the tasks, fetched from the neighbour, that Python's own reader unpacks."""
        entries = [{"name": "tasks.json", "service": "tasks", "path": "/tasks"},
                   {"name": "hello.txt", "text": "Hello."}]  # fmt: skip
        self.machine.write("/root/ask.json", json.dumps({"format": "zip", "entries": entries}))
        self.machine.shell(
            f"curl -sS --fail --cacert {CERTIFICATE} -o /root/a.zip --data-binary @/root/ask.json"
            f" -H 'Authorization: Bearer {self.caller.token}' -H 'Content-Type: application/json'"
            f" https://archives.{DOMAIN}/archives"
        )
        listed = self.machine.run("python3", "-m", "zipfile", "-l", "/root/a.zip").stdout
        require("tasks.json" in listed and "hello.txt" in listed, f"the archive has {listed}")
        return "token, task as JSON and XML, zip of 2 files"

    def reboot(self, snapshot: Path) -> str:
        """After a power cut all is there again, untouched by hand; keep a copy of the disk."""
        before = facts(self.machine)
        self.machine.kill()
        shutil.rmtree(snapshot, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.machine.disk), str(snapshot)], check=True)
        self.machine.boot()
        wait_until_ready(self.machine)
        require(facts(self.machine) == before, "the data changed")
        return "SIGKILL, boot, ready"

    def exposure(self) -> str:
        """Every unit is within its sandbox, and correct to systemd's eye."""
        found = []
        for unit in UNITS:
            if unit == "glassware-archives-migrate":
                continue
            found.append(self.exposed(unit, EXPOSURE))
            self.machine.run("systemd-analyze", "verify", "--man=no", f"{unit}.service")
        return ", ".join(found)

    def exposed(self, unit: str, most: int) -> str:
        """Return the unit's exposure. Raises Failed where it is more than ``most`` tenths."""
        told = self.machine.run(
            "systemd-analyze", "security", f"--threshold={most}", f"{unit}.service"
        )
        return (
            f"{unit.removeprefix('glassware-')} {re.search(r'service: ([0-9.]+)', told.stdout)[1]}"
        )

    # Changes under load

    def under_load(self, change: Any) -> Load:
        """Make the change while callers are at work. Raises Wrong where a request failed."""
        self.caller.get_token(self.client)
        rows = facts(self.machine)["tasks"]
        with load(self.caller, self.person) as found:
            change()
        now = facts(self.machine)["tasks"]
        require(now == rows + found.written, f"{rows} rows and {found.written} written make {now}")
        require(
            not found.failed, f"{found.failed} of {found.sent} requests failed: {found.outcomes}"
        )
        return found

    def go_to(self, version: str) -> Load:
        """Install the version under load; then it serves, and the data is whole."""
        found = self.under_load(lambda: self.install_version(version))
        wait_until_ready(self.machine)
        for name in SERVICES:
            require(self.version(name) == f"{version} ii", f"{name} is {self.version(name)}")
            require(self.running(name) == version, f"{name} still runs {self.running(name)}")
        return found

    def running(self, service: str) -> str:
        """Return the version that the service's present process was started from."""
        told: str = json.loads(self.caller.ask("GET", service, "/"))["release"]
        return told

    def upgrade(self) -> Load:
        schema = facts(self.machine)
        found = self.go_to(self.versions.next)
        now = facts(self.machine)
        for name in ("auth", "tasks"):
            require(now[f"{name}.schema"] > schema[f"{name}.schema"], f"{name} was not migrated")
        return found

    def roll_back(self) -> Load:
        return self.go_to(self.versions.present)

    def forward_again(self) -> Load:
        return self.go_to(self.versions.next)

    def failed_migration(self) -> Load:
        """apt fails, the old process serves on, the schema is untouched; the old version heals."""
        pid = self.main_pid("tasks")
        before = facts(self.machine)

        def fail() -> None:
            told = self.install_version(self.versions.broken, "-common -tasks", check=False)
            require("the migrations failed" in told, f"apt said {told[-2000:]}")
            require("nowhere" in told, "the reason is not shown")

        found = self.under_load(fail)
        require(self.version("tasks").endswith("iF"), f"tasks is {self.version('tasks')}")
        require(self.main_pid("tasks") == pid, "the old process is gone")
        require(
            facts(self.machine)["tasks.schema"] == before["tasks.schema"], "half a migration stayed"
        )
        self.install_version(self.versions.next, "-common -tasks")
        wait_until_ready(self.machine)
        return found

    def main_pid(self, service: str) -> str:
        return self.machine.run(
            "systemctl", "show", "-P", "MainPID", f"glassware-{service}"
        ).stdout.strip()

    def reload(self) -> Load:
        """A reload takes up a new configuration, and refuses one that cannot be read."""
        place = "/etc/glassware/tasks.d/test.ini"

        def change() -> None:
            self.machine.write(place, "[paging]\nlimt = 3\n")
            told = self.machine.run("systemctl", "reload", "glassware-tasks", check=False)
            require(told.returncode, "a mistyped option was not refused")
            self.machine.write(place, "[paging]\nlimit = 3\n")
            self.machine.run("systemctl", "reload", "glassware-tasks")

        found = self.under_load(change)
        items = json.loads(self.caller.ask("GET", "tasks", "/tasks"))["items"]
        require(len(items) == 3, f"a page has {len(items)} items, not 3")
        self.machine.run("rm", place)
        return found

    def crash(self) -> str:
        """A process that took over, and then dies, is started again."""
        pid = self.main_pid("tasks")
        self.machine.run("kill", "-9", pid)
        deadline = time.monotonic() + 20
        while self.main_pid("tasks") in (pid, "0"):
            require(time.monotonic() < deadline, "it was not started again")
            time.sleep(0.1)
        wait_until_ready(self.machine)
        return "SIGKILL, started again"

    def new_interpreter(self) -> Load:
        """A security update of Python restarts the services."""
        pids = {name: self.main_pid(name) for name in SERVICES}
        python = self.machine.run("readlink", "-e", "/usr/bin/python3").stdout.strip()

        def update() -> None:
            self.machine.run("dpkg-trigger", "--by-package=libpython3-stdlib", "--no-await", python)
            self.machine.run("dpkg", "--triggers-only", "--pending")

        found = self.under_load(update)
        kept = [name for name in SERVICES if self.main_pid(name) == pids[name]]
        require(not kept, f"not restarted: {kept}")
        return found

    def no_network(self) -> str:
        """auth works without a network: its sockets are systemd's."""
        folder = "/etc/systemd/system/glassware-auth.service.d"
        example = "/usr/share/doc/glassware-common/examples/no-network.conf"
        self.machine.shell(f"mkdir -p {folder}; cp {example} {folder}/; systemctl daemon-reload")
        self.machine.run("systemctl", "restart", "glassware-auth")
        wait_until_ready(self.machine)
        self.caller.get_token(self.client)
        found = self.exposed("glassware-auth", EXPOSURE_WITHOUT_NETWORK)
        self.machine.shell(
            f"rm -r {folder}; systemctl daemon-reload; systemctl restart glassware-auth"
        )
        return found

    # The end

    def canary(self) -> str:
        """The planted secrets are nowhere but where they were put, for nobody but their service."""
        wait_until_ready(self.machine)
        self.machine.shell(
            "for s in archives auth tasks; do glassware-$s config show; done >/root/shown"
        )
        self.machine.write("/root/canaries", "\n".join(self.canaries.values()) + "\n", 0o600)
        places = {
            "environment": "cat /proc/[0-9]*/environ",
            "processes": "cat /proc/[0-9]*/cmdline",
            "journal": "journalctl --no-pager -o export",
            "packages": "for deb in /srv/apt/pool/*.deb; do dpkg-deb --fsys-tarfile $deb; done",
            "shown configuration": "cat /root/shown",
            "logs": "find /var/log -type f -exec cat {} +",
        }
        for place, script in places.items():
            count = self.machine.shell(
                f"{{ {script}; }} 2>/dev/null | grep -acFf /root/canaries || true"
            )
            require(count == "0", f"{count} times a secret in: {place}")
        for name in SERVICES:
            found = self.readable(name)
            own = f"/run/credentials/glassware-{name}.service/"
            require(all(path.startswith(own) for path in found), f"{name} may read {found}")
        left = self.machine.shell("find /run/glassware -mindepth 1 ! -name '*.sock'")
        require(not left, f"left behind: {left}")
        return f"{len(places)} places and {len(SERVICES)} users' files"

    def readable(self, service: str) -> list[str]:
        """Return the files with a secret that the service's user may read."""
        user = f"glassware-{service}"
        self.machine.shell(f"install -m 0444 /root/canaries /tmp/patterns-{service}")
        script = (
            f"setpriv --reuid={user} --regid={user} --init-groups grep -rlsF --devices=skip"
            f" -f /tmp/patterns-{service} --exclude='patterns-*' --exclude-dir=proc"
            " --exclude-dir=sys / || true"
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
        units = self.machine.shell("systemctl list-units --all --no-legend 'glassware*'")
        require(not units, f"left behind: {units}")
        return "nothing left"

    def files(self) -> set[str]:
        """Return every path of the machine, but for logs of what happened and apt's lists."""
        skipped = " -o ".join(f"-path {path}" for path in SKIPPED)
        listed = self.machine.shell(rf"find / \( {skipped} \) -prune -o -print")
        kept = ("/etc/nginx/", "/etc/letsencrypt", "/etc/apt/glassware.gpg", "/var/log/")
        return {path for path in listed.splitlines() if not path.startswith(kept)}
