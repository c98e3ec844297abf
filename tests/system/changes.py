"""What is done to a machine in use, while callers are at work."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from people import SERVICES, Load, facts, load, require, wait_until_ready
from story import EXPOSURE_WITHOUT_NETWORK, Story

#: As docs/howto/postgresql.rst tells it.
POSTGRES = """
cd /etc/postgresql/*/main
for role in serve migrate; do echo "glassware glassware-auth auth_$role" >>pg_ident.conf; done
sed -i '1i local auth auth_serve,auth_migrate peer map=glassware' pg_hba.conf
systemctl start postgresql
cd /usr/lib/glassware/auth/lib/python3*/site-packages/glassware/db
runuser -u postgres -- psql -q -v service=auth -f roles.sql
"""
DATABASE = """\
[database]
url = postgresql+psycopg://auth_serve@/auth?host=/run/postgresql
migrations_url = postgresql+psycopg://auth_migrate@/auth?host=/run/postgresql
"""
AS_AUTH = ["runuser", "-u", "glassware-auth", "--", "psql", "--dbname=auth"]
DDL = ["-c", "CREATE TABLE tried (); DROP TABLE tried"]


class Changes(Story):
    """Upgrades and their failures, the way back, reloads, another interpreter, another database."""

    def under_load(self, change: Callable[[], object]) -> Load:
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
        """A process that took over, and then dies, is started again.

        A new Python that comes while it starts is not overlooked.
        """
        pid = self.main_pid("tasks")
        self.machine.run("kill", "-9", pid)
        # In a container with cgroups v1, only TimeoutStopSec may tell systemd that all have ended.
        deadline = time.monotonic() + 60
        while (again := self.main_pid("tasks")) in (pid, "0", ""):
            require(time.monotonic() < deadline, "it was not started again")
            time.sleep(0.02)
        told = self.update_python("glassware-tasks")
        kept = self.main_pid("tasks") == again
        require(not kept, f"not restarted: {told}\n{self.journal(['tasks'])}")
        wait_until_ready(self.machine)
        return "SIGKILL, started again; and again by a new Python"

    def update_python(self, *which: str) -> str:
        """Do what dpkg does when Python is replaced, for some packages or for all."""
        python = self.machine.run("readlink", "-e", "/usr/bin/python3").stdout.strip()
        told = self.machine.run(
            "dpkg-trigger", "--by-package=libpython3-stdlib", "--no-await", python
        ).stdout
        return told + self.machine.run("dpkg", "--triggers-only", *(which or ("--pending",))).stdout

    def new_interpreter(self) -> Load:
        """A security update of Python restarts the services."""
        pids = {name: self.main_pid(name) for name in SERVICES}
        told: list[str] = []
        found = self.under_load(lambda: told.append(self.update_python()))
        kept = [name for name in SERVICES if self.main_pid(name) == pids[name]]
        require(not kept, f"not restarted: {pids} {kept} {told}\n{self.journal(kept)}")
        return found

    def journal(self, services: list[str]) -> str:
        """Return the state of the services, and what their journals last told but for requests."""
        states = "ActiveState,SubState,MainPID,NRestarts,StateChangeTimestamp"
        units = " ".join(f"--unit=glassware-{name}" for name in services)
        read = f"journalctl --no-pager --lines=3000 -o short-precise {units}"
        told = f"{read} | grep -v -e glassware.access -e neighbour_called | tail -n 40"
        names = " ".join(f"glassware-{name}" for name in services)
        return self.machine.shell(f"date +%T.%N; systemctl show -p {states} {names}; {told}")

    def log_file(self) -> str:
        """A log that is kept in a file is rotated, and goes on in the new one."""
        folder, log = "/etc/systemd/system/glassware-tasks.service.d", "/var/log/glassware"
        example = "/usr/share/doc/glassware-common/examples/log-file.conf"
        restart = "systemctl daemon-reload; systemctl restart glassware-tasks"
        self.machine.shell(f"mkdir -p {folder}; cp {example} {folder}/; {restart}")
        counts = []
        for _ in range(2):
            self.caller.ask("GET", "tasks", "/in-the-file", expect=404)
            self.machine.run("logrotate", "--force", "/etc/logrotate.d/glassware-common")
            rotated = f"zcat {log}/glassware-tasks.log.1.gz | grep -c in-the-file"
            counts.append(self.machine.shell(rotated))
        require(counts == ["1", "1"], f"the rotated logs have {counts} lines of the requests")
        self.machine.shell(f"rm -r {folder}; {restart}")
        wait_until_ready(self.machine)
        return "two rotations, each request in its file"

    def no_network(self) -> str:
        """auth on PostgreSQL, by two roles, with no password and no network at all."""
        folder = "/etc/systemd/system/glassware-auth.service.d"
        example = "/usr/share/doc/glassware-common/examples/no-network.conf"
        self.machine.shell(POSTGRES)
        self.machine.write("/etc/glassware/auth.d/database.ini", DATABASE)
        self.machine.shell(f"mkdir -p {folder}; cp {example} {folder}/; systemctl daemon-reload")
        self.machine.run("systemctl", "start", "glassware-auth-migrate")
        self.machine.run("systemctl", "restart", "glassware-auth")
        wait_until_ready(self.machine)
        self.machine.run("glassware-auth", "check")
        self.caller.get_token(self.make_client())
        for role, refused in (("serve", True), ("migrate", False)):
            told = self.machine.run(*AS_AUTH, f"--username=auth_{role}", *DDL, check=False)
            require(("permission denied" in told.stdout) is refused, f"{role}: {told.stdout}")
        found = self.exposed("glassware-auth", EXPOSURE_WITHOUT_NETWORK)
        self.machine.shell(
            f"rm -r {folder} /etc/glassware/auth.d/database.ini; systemctl daemon-reload;"
            " systemctl restart glassware-auth; systemctl stop postgresql"
        )
        return f"{found}, on PostgreSQL by peer authentication"
