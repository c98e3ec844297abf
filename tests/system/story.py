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
from urllib.parse import urlsplit

from machine import Machine
from packages import Versions
from people import (
    CERTIFICATE,
    DOMAIN,
    SERVICES,
    Caller,
    facts,
    require,
    wait_until_ready,
)

UNITS = [f"glassware-{name}{kind}" for name in SERVICES for kind in ("", "-clean", "-migrate")]
UNITS.append("glassware-archives-worker")
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
cp /usr/share/doc/glassware-common/examples/glassware.conf /etc/nginx/sites-enabled/
"""
#: For the tour: archives fetches a file from this machine, people are known by their public URL.
TOUR = {
    "auth": "",
    "tasks": f"[siblings]\nauth = https://auth.{DOMAIN}\n",
    "archives": "[archives]\nallowed_sources = http://127.0.0.1:7009\n",
}
#: As docs/howto/install.rst has it.
DELEGATE = """
(umask 077; glassware-auth clients create archives --delegate --scopes tasks:read \\
    | sed -n 's/^client_secret: //p' >/etc/glassware/credentials/archives/auth.client_secret)
systemctl restart glassware-archives glassware-archives-worker
"""
#: How many tokens the programs of this machine have asked for.
TOKENS = """journalctl -u glassware-auth -o cat | grep -cF '"path": "/oauth/token"' || true"""
RESTART = "systemctl restart 'glassware-*.service'"
SCOPES = "tasks:read tasks:write tasks:admin users:read archives:write"
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

    def running(self, service: str) -> str:
        """Return the version that the service's present process was started from."""
        told: str = json.loads(self.caller.ask("GET", service, "/"))["release"]
        return told

    def main_pid(self, service: str) -> str:
        return self.machine.run(
            "systemctl", "show", "-P", "MainPID", f"glassware-{service}"
        ).stdout.strip()

    def files(self) -> set[str]:
        """Return every path of the machine, but for logs of what happened and apt's lists."""
        skipped = " -o ".join(f"-path {path}" for path in SKIPPED)
        listed = self.machine.shell(rf"find / \( {skipped} \) -prune -o -print")
        kept = ("/etc/nginx/", "/etc/letsencrypt", "/etc/apt/glassware.gpg", "/var/log/")
        return {path for path in listed.splitlines() if not path.startswith(kept)}

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
        self.client = self.make_client()
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
        return f"{self.archive()}, and for a person: {self.archive_for(admin)}"

    def tour(self) -> str:
        """The tour of the suite, over TLS; it needs what only development tells and allows."""
        for name, more in TOUR.items():
            text = f"[service]\nmode = development\n{more}"
            self.machine.write(f"/etc/glassware/{name}.d/tour.ini", text)
        self.machine.shell(f"cp {CERTIFICATE} /etc/ssl/certs/ca-certificates.crt; {RESTART}")
        self.machine.write("/root/tour.py", Path(__file__).with_name("tour.py").read_text())
        python = "/usr/lib/glassware/archives/bin/python"
        told = self.machine.run(python, "/root/tour.py", DOMAIN).stdout.strip().splitlines()[-1]
        self.machine.shell(f"rm /etc/glassware/*.d/tour.ini; {RESTART}")
        wait_until_ready(self.machine)
        return told

    def make_client(self) -> dict[str, str]:
        """Return a new service account that may do all that is done here."""
        create = ["glassware-auth", "clients", "create", "tester", "--scopes", SCOPES, "--json"]
        client: dict[str, str] = json.loads(self.machine.run(*create).stdout)
        return client

    def archive(self) -> str:
        """An archive of the tasks, fetched from the neighbour, that Python's own reader unpacks."""
        entries = [{"name": "tasks.json", "service": "tasks", "path": "/tasks"},
                   {"name": "hello.txt", "text": "Hello."}]  # fmt: skip
        wanted = {"format": "zip", "entries": entries}
        self.machine.write("/root/ask.json", json.dumps(wanted))
        self.machine.shell(
            f"curl -sS --fail --cacert {CERTIFICATE} -o /root/a.zip --data-binary @/root/ask.json"
            f" -H 'Authorization: Bearer {self.caller.token}' -H 'Content-Type: application/json'"
            f" https://archives.{DOMAIN}/archives"
        )
        listed = self.machine.run("python3", "-m", "zipfile", "-l", "/root/a.zip").stdout
        require("tasks.json" in listed and "hello.txt" in listed, f"the archive has {listed}")
        self.archive_later(self.caller, wanted)
        return "token, task as JSON and XML, zip of 2 files at once, by the worker"

    def archive_for(self, admin: dict[str, str]) -> str:
        """The worker acts for a person by a right of the job's own, not by the person's token."""
        self.machine.shell(DELEGATE)
        wait_until_ready(self.machine)
        person = Caller(self.machine)
        known = {name: admin[name] for name in ("email", "password")}
        person.token = json.loads(person.ask("POST", "auth", "/login", body=known))["access_token"]
        entries = [{"name": "tasks.json", "service": "tasks", "path": "/tasks"}]
        before = self.machine.shell(TOKENS)
        self.archive_later(person, {"format": "7z", "entries": entries})
        count = int(self.machine.shell(TOKENS)) - int(before)
        require(count, "archives called its neighbour by the person's own token")
        return f"{count} tokens"

    def archive_later(self, caller: Caller, wanted: object) -> None:
        """The worker builds the same while nobody waits."""
        ask = caller.ask
        later = {"expect": 202, "Prefer": "respond-async"}
        job = json.loads(ask("POST", "archives", "/archives", body=wanted, **later))
        deadline = time.monotonic() + 30
        while job["state"] not in ("done", "failed"):
            require(time.monotonic() < deadline, f"the job goes on and on: {job}")
            time.sleep(0.2)
            job = json.loads(ask("GET", "archives", urlsplit(job["url"]).path))
        require(job["state"] == "done", f"the job failed: {job}")

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
        """Every unit is within its sandbox, correct to systemd's eye, and scheduled as it says."""
        found = []
        for unit in UNITS:
            found.append(self.exposed(unit, EXPOSURE))
            self.machine.run("systemd-analyze", "verify", "--man=no", f"{unit}.service")
        for service in SERVICES:
            told = self.machine.run("chrt", "-p", self.main_pid(service)).stdout
            require("SCHED_BATCH" in told, f"{service}: {told}")
        return ", ".join(found)

    def exposed(self, unit: str, most: int) -> str:
        """Return the unit's exposure. Raises Failed where it is more than ``most`` tenths."""
        told = self.machine.run(
            "systemd-analyze", "security", f"--threshold={most}", f"{unit}.service"
        )
        return (
            f"{unit.removeprefix('glassware-')} {re.search(r'service: ([0-9.]+)', told.stdout)[1]}"
        )
