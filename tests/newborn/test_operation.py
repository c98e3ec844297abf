"""What engineers and operators find: configuration, commands, signs of life, migrations, jobs."""

from __future__ import annotations

import ast
import io
import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from glassware.client import Client
from glassware.config import ConfigError
from glassware.observe import tracing
from glassware.problems import UnreachableProblem
from glassware.service import Service
from glassware.testing.postgres import Postgres
from tests.template.checkout import ROOT, Checkout

from .conftest import Bear, Newborn

#: Rows that are no part of this house, and why.
LEFT_OUT = {36: "docker: a machine is set up by packages"}


def test_every_row_is_proved() -> None:
    found = set(LEFT_OUT)
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_row_"):
                found |= {int(number) for number in re.findall(r"_(\d\d)", node.name)}
    assert found == set(range(1, 43))


def test_row_01_options_are_declared_and_nothing_else_is_taken(bear: Bear) -> None:
    with pytest.raises(ConfigError, match=r"paging\.limit"):
        bear(**{"paging.limt": "7"})
    with pytest.raises(ConfigError, match="whole number"):
        bear(**{"paging.limit": "seven"})


def test_row_02_and_32_commands_tell_where_a_value_is_from(checkout: Checkout, home: Path) -> None:
    shown = checkout.manage(home, "config", "show").stdout
    assert re.search(r"^server\.port +\d+ +package default_config\.ini$", shown, re.M)
    assert re.search(r"^app\.secret_key +\*{8} ", shown, re.M)
    for verb in ("runserver", "shell", "routes", "db", "doctor", "contract", "worker"):
        assert f"\n  {verb} " in checkout.manage(home, "--help").stdout


def test_row_21_alive_is_not_ready(bear: Bear) -> None:
    newborn = bear()
    assert newborn.client.get("/health/live").status_code == 200
    assert newborn.client.get("/health/ready").status_code == 200
    with newborn.app.app_context():
        newborn.service.database.session.execute(
            newborn.service.database.text("UPDATE alembic_version SET version_num = '0000'")
        )
        newborn.service.database.session.commit()
    assert newborn.client.get("/health/live").status_code == 200
    assert newborn.client.get("/health/ready").status_code == 503


def test_row_22_metrics_by_route(newborn: Newborn) -> None:
    newborn.add()
    page = newborn.client.get("/metrics").text
    assert re.search(r'_count\{method="POST",route="/notes",status="201"\} 1\.0', page)


def test_row_23_spans_for_a_collector(newborn: Newborn, log: io.StringIO) -> None:
    spans: list[object] = []
    handler = tracing.export("notes", "1", "http://127.0.0.1:9/v1/traces")
    try:
        handler.sender.on_end = spans.append
        newborn.get("/notes", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    finally:
        tracing.logging.getLogger().removeHandler(handler)
        handler.close()
    (span,) = spans
    assert (span.name, span.context.trace_id) == ("GET /notes", int("a" * 32, 16))


def test_row_24_log_lines_have_the_request_id(newborn: Newborn, log: io.StringIO) -> None:
    answer = newborn.get("/notes", **{"X-Request-Id": "r-7"})
    assert answer.headers["X-Request-Id"] == "r-7"
    (line,) = [json.loads(each) for each in log.getvalue().splitlines() if '"request"' in each]
    assert (line["request_id"], line["status"], line["service"]) == ("r-7", 200, "notes")


def test_row_26_and_27_its_client_gives_up_in_time(newborn: Newborn) -> None:
    import time

    from glassware.client.transports import NetworkTransport
    from glassware.observe.context import Trace, bind

    client = Client("gone", "http://127.0.0.1:9", transport=NetworkTransport(), timeout=2)
    began = time.monotonic()
    with bind(Trace.incoming(timeout="0.5")), pytest.raises(UnreachableProblem):
        client.get("/")
    assert time.monotonic() - began < 2
    client_options = [each.name for each in newborn.service.declared()]
    assert {"client.retries", "client.breaker_failures"} <= set(client_options)


def test_row_28_contracts_with_it_are_proved(checkout: Checkout, home: Path) -> None:
    assert "requests hold" in checkout.manage(home, "contract", "verify").stdout


def test_row_29_and_33_migrations_and_a_doctor(checkout: Checkout, home: Path) -> None:
    checkout.manage(home, "db", "upgrade")
    checkout.manage(home, "db", "check")
    told = json.loads(checkout.run(home, "sh", "-c", "python manage.py doctor --json; true").stdout)
    assert told["looked_for"] > 20
    assert {each["name"] for each in told["findings"]} <= {"the_issuers_keys_cannot_be_had"}


def test_row_30_the_serving_role_cannot_change_the_schema(bear: Bear) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import ProgrammingError

    with Postgres() as cluster:
        cluster.create("notes")
        newborn = bear(**cluster.settings("notes"))
        assert newborn.add().status_code == 201
        with newborn.app.app_context(), pytest.raises(ProgrammingError):
            newborn.service.database.session.execute(text("DROP TABLE notes"))
        newborn.close()


def test_row_31_jobs_are_a_class_and_a_function(service: Service, newborn: Newborn) -> None:
    from dataclasses import replace

    from glassware.jobs import JobRow, Jobs, Run, job
    from glassware.jobs.worker import Worker

    class Job(JobRow, service.database.Model):
        """Something to be done."""

    @job()
    def shout(run: Run, word: str) -> str:
        return f"/{word.upper()}"

    busy = replace(service, jobs=Jobs(Job, (shout,)))
    app = busy.create_app(
        newborn.settings, environ={}, transports={"auth": newborn.issuer.transport}
    )
    with app.app_context():
        service.database.create_all()
        from glassware.auth import Principal

        shout.later(Principal(newborn.me), word="a")
        service.database.session.commit()
        assert Worker(app).step()
        assert app.extensions["glassware"].jobs.counts() == {("shout", "done"): 1}
        service.database.close()


def test_row_34_and_35_its_tests_types_and_style_hold(checkout: Checkout, home: Path) -> None:
    checkout.python(home, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    checkout.run(home, "ruff", "check", ".")
    checkout.run(home, "ruff", "format", "--check", ".")
    assert (home / "Jenkinsfile").exists()


def test_row_37_and_38_it_has_a_package_and_a_hardened_unit(home: Path) -> None:
    control = (home / "debian" / "control").read_text()
    assert "Package: glassware-notes" in control
    unit = (home / "debian" / "templates" / "service.service").read_text()
    assert "Type=notify" in unit
    hardening = (ROOT / "debian" / "common" / "hardening.conf").read_text()
    assert "ProtectSystem=strict" in hardening


def test_row_39_puppet_takes_what_it_declares(service: Service) -> None:
    """As `make puppet-types` writes it, once the service is in the suite."""
    made = dict(runpy.run_path(str(ROOT / "tools" / "puppet.py"))["types"](service))
    settings = made["glassware/types/notes/settings.pp"]
    for option in service.declared():
        section, _, name = option.name.partition(".")
        if not option.secret and section == "paging":
            assert f"Optional['{name}']" in settings
    assert "glassware::service { 'notes':" in made["glassware/manifests/notes.pp"]


def test_row_40_its_documentation_is_built(checkout: Checkout, home: Path, tmp_path: Path) -> None:
    checkout.python(home, "-m", "sphinx", "-q", "-n", "-W", "docs", str(tmp_path))


def test_row_41_it_knows_the_template_that_it_came_from(checkout: Checkout, home: Path) -> None:
    assert (home / ".cruft.json").exists()
    assert shutil.which("cruft", path=checkout.environ["PATH"])


def test_row_42_one_command_runs_it_with_its_neighbours() -> None:
    shown = subprocess.run(["make", "-C", ROOT, "help"], capture_output=True, text=True, check=True)
    assert re.search(r"\brun\b.*start", shown.stdout)
