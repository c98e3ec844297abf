"""The doctor: each symptom is found where it is there, and nothing is found where all is well."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask_migrate
import pytest
from sqlalchemy import NullPool, create_engine, text

from glassware.cli.doctor import Case
from glassware.cli.doctor.examine import Finding, examine, look_for, symptoms
from glassware.cli.processes import free_ports
from glassware.client.transports import WSGITransport
from glassware.config import variable
from glassware.db.migrate import prepare
from glassware.observe.scrub import Scrubber
from glassware.service import Service
from glassware.testing import Mesh
from glassware.testing.postgres import Postgres
from glassware_archives.app import service as archives
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks
from tests.e2e import worlds

ROOT = Path(__file__).parents[2]
SERVICES = {each.name: each for each in (auth, tasks, archives)}


class Ward:
    """An installed service in production, in perfect health, until a test makes it ill."""

    def __init__(self, service: Service, folder: Path, mesh: Mesh, cluster: Postgres) -> None:
        self.service, self.folder, self.mesh, self.cluster = service, folder, mesh, cluster
        self.transports = dict(mesh.transports)
        self.state, self.secrets = folder / "state", folder / "secrets"
        self.settings = {
            "service.state_dir": str(self.state),
            "service.secrets_dir": str(self.secrets),
        }
        for private in (self.state, self.secrets):
            private.mkdir(0o700)
        for option in service.declared():
            if option.secret:
                (self.secrets / option.name).write_text(f"{uuid4()}{uuid4()}")
                (self.secrets / option.name).chmod(0o600)
        self.cleanup = ExitStack()
        self.migrate()

    @property
    def sqlite(self) -> Path:
        return self.state / f"{self.service.name}.sqlite"

    def migrate(self, way: Callable[[], None] = flask_migrate.upgrade) -> None:
        database = self.service.database
        if database is None:
            return
        app = self.service.create_app(self.settings, environ={}, transports=self.transports)
        prepare(app)
        with app.app_context():
            way()
            database.engine.dispose()

    def postgresql(self) -> str:
        """Move to a database of its own on PostgreSQL; return its name."""
        name = f"{self.service.name}_{uuid4().hex[:8]}"
        self.cluster.create(name)
        self.settings |= self.cluster.settings(name)
        self.migrate()
        return name

    def sql(self, *statements: str) -> None:
        """Do it to the database as its superuser."""
        url = f"sqlite:///{self.sqlite}"
        if name := self.settings.get("database.url", "").partition("@/")[2].partition("?")[0]:
            url = f"postgresql+psycopg://postgres@/{name}?host={self.cluster.folder}"
        with create_engine(url, poolclass=NullPool).begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def examined(self) -> dict[str, Finding]:
        with Case(self.service, self.settings, {}, self.transports) as case:
            findings, _ = examine(case)
        return {finding.name: finding for finding in findings}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    """The neighbours, which are well."""
    names = "127.0.0.1, localhost, auth.glassware.example"
    with Mesh([auth, tasks], settings={"server.trusted_hosts": names}) as running:
        yield running


Admit = Callable[[Service], Ward]


@pytest.fixture
def admit(tmp_path: Path, mesh: Mesh, cluster: Postgres) -> Iterator[Admit]:
    with ExitStack() as stack:

        def make(service: Service) -> Ward:
            ward = Ward(service, tmp_path, mesh, cluster)
            stack.enter_context(ward.cleanup)
            return ward

        yield make


# Each way to make a service ill, by the symptom that must show; it returns those that come along.

Ill = Callable[[Ward], set[str] | None]
ILLNESSES: dict[str, tuple[Service, Ill]] = {}
KEYS, DATABASE = "the_issuers_keys_cannot_be_had", "the_database_does_not_answer"


def shows(symptom: str, service: Service = tasks) -> Callable[[Ill], Ill]:
    def note(ill: Ill) -> Ill:
        ILLNESSES[symptom] = service, ill
        return ill

    return note


@shows("the_configuration_is_refused")
def _(ward: Ward) -> None:
    ward.settings["server.port"] = "many"


@shows("the_app_cannot_be_made")
def _(ward: Ward) -> None:
    ward.settings["limits.default"] = "often"


@shows(DATABASE)
def _(ward: Ward) -> None:
    ward.postgresql()
    ward.settings["database.url"] += "&port=1"


@shows("the_schema_is_behind")
def _(ward: Ward) -> None:
    ward.migrate(flask_migrate.downgrade)


@shows("the_schema_is_ahead")
def _(ward: Ward) -> None:
    ward.sql("UPDATE alembic_version SET version_num = '9999'", "CREATE TABLE later (a INTEGER)")


@shows("the_schema_is_not_as_the_models_are")
def _(ward: Ward) -> None:
    ward.sql("DROP INDEX ix_tasks_person_id_id", "ALTER TABLE tasks ADD COLUMN mine INTEGER")


@shows("the_serving_role_may_do_too_much")
def _(ward: Ward) -> None:
    name = ward.postgresql()
    ward.sql(f"GRANT CREATE ON SCHEMA public TO {name}_serve")


@shows("the_serving_role_may_do_too_little")
def _(ward: Ward) -> None:
    name = ward.postgresql()
    ward.sql(f"REVOKE DELETE ON tasks FROM {name}_serve")


@shows("statements_may_take_for_ever")
def _(ward: Ward) -> None:
    name = ward.postgresql()
    ward.sql(f"ALTER ROLE {name}_serve RESET statement_timeout")


@shows("the_server_has_too_few_connections")
def _(ward: Ward) -> None:
    name = ward.postgresql()
    ward.sql(f"ALTER ROLE {name}_serve CONNECTION LIMIT 10")


@shows("one_role_serves_and_migrates")
def _(ward: Ward) -> None:
    ward.postgresql()
    ward.settings["database.migrations_url"] = ""


@shows("the_migrating_role_cannot_migrate")
def _(ward: Ward) -> None:
    ward.postgresql()
    ward.sql("ALTER TABLE tasks OWNER TO postgres")


@shows("the_state_cannot_be_written", archives)
def _(ward: Ward) -> None:
    ward.postgresql()
    shutil.rmtree(ward.state)


@shows("secrets_can_be_read_by_others")
def _(ward: Ward) -> None:
    (ward.secrets / "app.secret_key").chmod(0o640)


@shows("the_database_can_be_read_by_others")
def _(ward: Ward) -> None:
    folder = Path(ward.cleanup.enter_context(tempfile.TemporaryDirectory()))
    folder.chmod(0o755)
    ward.sqlite.rename(folder / "tasks.sqlite").chmod(0o644)
    ward.settings["service.state_dir"] = str(folder)


@shows("the_database_belongs_to_several")
def _(ward: Ward) -> set[str]:
    if os.geteuid() == 0:
        os.chown(ward.sqlite, 65534, -1)
        return set()
    ward.settings["database.url"] = "sqlite:////etc/hostname"
    return {DATABASE, "the_state_cannot_be_written"}


@shows("the_disk_is_nearly_full")
def _(ward: Ward) -> set[str]:
    ward.settings["database.url"] = f"sqlite:///{ward.sqlite}"
    ward.settings["service.state_dir"] = "/proc/self"  # a disk of no size at all
    return {"the_state_cannot_be_written"}


@shows("few_files_may_be_open")
def _(ward: Ward) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    ward.cleanup.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))


@shows("a_neighbour_does_not_answer", archives)
def _(ward: Ward) -> None:
    del ward.transports["tasks"]
    ward.settings["siblings.tasks"] = f"http://127.0.0.1:{free_ports(['nobody'])['nobody']}"


@shows("the_broker_cannot_be_reached", archives)
def _(ward: Ward) -> None:
    ward.settings["jobs.broker"] = f"redis://127.0.0.1:{free_ports(['nobody'])['nobody']}/0"


@shows("a_neighbour_is_not_ready")
def _(ward: Ward) -> None:
    ward.settings["siblings.auth"] = "https://elsewhere.example"


@shows(KEYS)
def _(ward: Ward) -> None:
    ward.settings["auth.algorithms"] = "EdDSA"


@shows("the_issuer_calls_itself_otherwise")
def _(ward: Ward) -> None:
    ward.settings["auth.issuer"] = "http://localhost:7001"


@shows("the_clock_is_wrong")
def _(ward: Ward) -> None:
    neighbour = ward.mesh.apps["auth"]

    def an_hour_ahead(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            moment = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
            return start_response(status, [*headers, ("Date", moment)], *rest)

        return neighbour(environ, start)

    ward.transports["auth"] = WSGITransport(an_hour_ahead)


@shows("it_listens_publicly_without_tls")
def _(ward: Ward) -> None:
    ward.settings["server.host"] = "0.0.0.0"
    ward.settings["service.public_url"] = "http://tasks.glassware.example"
    ward.settings["server.trusted_hosts"] = ".glassware.example"


@shows("it_goes_by_any_name")
def _(ward: Ward) -> None:
    ward.settings["server.trusted_hosts"] = "tasks.glassware.example"


@shows("its_public_name_is_refused")
def _(ward: Ward) -> None:
    ward.settings["service.public_url"] = "https://tasks.glassware.example"


@shows("development_is_exposed")
def _(ward: Ward) -> None:
    ward.settings["service.mode"] = "development"
    ward.settings["service.public_url"] = "https://tasks.glassware.example"
    ward.settings["server.trusted_hosts"] = "tasks.glassware.example"


@shows("tokens_travel_in_the_clear")
def _(ward: Ward) -> None:
    ward.settings["siblings.auth"] = "http://auth.glassware.example"


@shows("the_metrics_are_public")
def _(ward: Ward) -> None:
    ward.settings["metrics.allow"] = "127.0.0.1/32, ::/0"


@shows("signing_keys_cannot_be_opened", auth)
def _(ward: Ward) -> None:
    app = auth.create_app(ward.settings, environ={})
    assert app.test_client().get("/.well-known/jwks.json").status_code == 200
    with app.app_context():
        auth.database.engine.dispose()
    (ward.secrets / "auth.key_secret").write_text("another one")


@shows("temporary_files_lack_room", archives)
def _(ward: Ward) -> None:
    ward.settings["archives.max_spool"] = str(2**60)


@pytest.mark.parametrize("symptom", ILLNESSES)
def test_what_is_wrong_is_found_and_nothing_else_is(symptom: str, admit: Admit) -> None:
    service, ill = ILLNESSES[symptom]
    ward = admit(service)
    others = ill(ward) or set()
    found = ward.examined()
    assert set(found) == {symptom, *others}, found
    finding = found[symptom]
    assert finding.seen
    assert finding.what.endswith(".")
    assert finding.advice.endswith((".", "it.")) or "`" in finding.advice


def test_every_symptom_has_its_illness() -> None:
    known = {
        each.__name__.removeprefix("symptom_")
        for service in SERVICES.values()
        for each in symptoms(service.package)
    }
    assert known == set(ILLNESSES)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_found_where_all_is_well(admit: Admit, name: str, kind: str) -> None:
    ward = admit(SERVICES[name])
    if kind == "postgresql" and ward.service.database is not None:
        ward.postgresql()
    assert ward.examined() == {}


def test_looking_leaves_no_trace(admit: Admit) -> None:
    ward = admit(tasks)
    ward.sqlite.unlink()
    assert DATABASE in ward.examined()
    assert list(ward.state.iterdir()) == []


def test_what_is_found_tells_no_secret(admit: Admit) -> None:
    ward = admit(tasks)
    url = "postgresql+psycopg://serve:hunter2hunter2@127.0.0.1:1/tasks?application_name={}"
    secret = (ward.secrets / "app.secret_key").read_text()
    ward.settings["database.url"] = url.format(secret)
    shown = str(ward.examined())
    assert "127.0.0.1" in shown
    assert "hunter2" not in shown
    assert secret not in shown


def test_a_symptom_that_cannot_be_looked_for_is_told_of(admit: Admit) -> None:
    def symptom_the_moon_is_full(_case: Case) -> Iterator[str]:
        """The moon is full.

        Wait.
        """
        raise RuntimeError("clouds, and password=hunter2hunter2")
        yield ""

    ward = admit(tasks)
    with Case(tasks, ward.settings, {}, ward.transports) as case:
        finding = look_for(symptom_the_moon_is_full, case, Scrubber())
    assert finding is not None
    assert finding.what == "It cannot be told whether the moon is full."
    assert "clouds" in finding.seen[0]
    assert "hunter2" not in finding.seen[0]


# By manage.py, as a person types it


def manage(
    service: str, folder: Path, *words: str, **more: str
) -> subprocess.CompletedProcess[str]:
    environ = {variable(service, "service.state_dir"): str(folder), **more}
    return subprocess.run(
        [sys.executable, str(ROOT / "services" / service / "manage.py"), *words],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_exits_with_1_and_says_what_to_do(tmp_path: Path) -> None:
    done = manage("tasks", tmp_path, "doctor")
    assert done.returncode == 1
    assert "! The database cannot be reached.\n    there is no file" in done.stdout
    assert "run `manage.py db upgrade`" in done.stdout
    assert "found." in done.stdout.splitlines()[-1]
    assert done.stderr == ""


def test_a_refused_configuration_is_a_finding_also_in_json(tmp_path: Path) -> None:
    wrong = {variable("tasks", "server.prot"): "1", variable("tasks", "log.level"): "LOUD"}
    done = manage("tasks", tmp_path, "doctor", "--json", **wrong)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["healthy"] is False
    (finding,) = document["findings"]
    assert finding["name"] == "the_configuration_is_refused"
    assert len(finding["seen"]) == 2, "all that is wrong, at once"
    assert "server.port" in str(finding["seen"])


def test_a_service_whose_code_does_not_load_is_a_finding(tmp_path: Path) -> None:
    done = manage("archives", tmp_path, "doctor", LIBARCHIVE="/nowhere/libarchive.so")
    assert done.returncode == 1
    assert "! The code of the service cannot be loaded." in done.stdout
    assert "/nowhere/libarchive.so" in done.stdout


@pytest.mark.processes
def test_the_running_suite_is_well(tmp_path: Path) -> None:
    with worlds.processes(tmp_path) as running:
        for name in SERVICES:
            assert "none found: it is well" in running.suite.manage(name, "doctor")
