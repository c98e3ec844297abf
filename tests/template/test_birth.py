"""A service that was made a moment ago is whole: nothing to delete, nothing to repair."""

from __future__ import annotations

import ast
import builtins
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from glassware.api.declare import endpoint
from glassware.api.system import SYSTEM
from glassware_auth.schemas import ClientSchema
from tests.template.checkout import ROOT, Checkout, lists

OWN = (
    "AUTHORS.rst",
    "HISTORY.rst",
    "README.rst",
    "manage.py",
    "setup.cfg",
    "tox.ini",
    "docs/conf.py",
)
MYPY = ("mypy", "--cache-dir=../mypy", "--follow-imports=silent")
ALONE = (".gitignore", "Jenkinsfile", "Makefile", "debian/rules", "requirements-dev.in")


def files(service: Path) -> Iterator[Path]:
    """Yield the files that were made at birth."""
    for path in service.rglob("*"):
        inside = path.relative_to(service).parts
        made_since = {"var", "__pycache__"} & set(inside) or path.match("*.egg-info/*")
        if path.is_file() and not made_since:
            yield path


def test_four_questions_are_asked_and_the_next_steps_are_told(told: str) -> None:
    asked = ("Name of the service", "What it does", "The thing it keeps", "Where it lives")
    assert [told.count(question) for question in asked] == [1, 1, 1, 1]
    assert told.count("]: ") == 4
    assert "services/notes is a part of the suite now. It serves on port 7004." in told
    command = re.search(r"services/auth/manage.py clients create (\S+) --scopes \"(.*)\"", told)
    assert command
    assert not ClientSchema().validate({"client_id": command[1], "scopes": command[2].split()})


def test_no_template_is_left_in_it(born: Path) -> None:
    for path in files(born):
        if path.name != ".cruft.json":
            text = path.read_text()
            assert not re.search(r"\{\{|\{%|\{#|cookiecutter\.|\b7000\b", text), path
            assert "cookiecutter" not in str(path)
            assert text.endswith("\n") or not text, f"{path} has no end of line"
            assert not text.endswith("\n\n"), f"{path} ends in an empty line"


def test_alone_it_is_packaged_as_the_suites_services_are(births: Mapping[str, Path]) -> None:
    """By the same files; only the paths differ."""
    debian, own = ROOT / "debian", births["long alone"] / "debian"
    templates = {path.name for path in (debian / "templates").iterdir()}
    assert {path.name for path in (own / "templates").iterdir()} == templates
    for name in ("rules", "expand", "build-venv", "commands", "fix-records", "source/format"):
        suites = (debian / name).read_text()
        there = suites.replace("services/$service/", "")
        there = there.replace(" $(addprefix ./,$(wildcard services/*))", "")
        assert (own / name).read_text() == there
        assert "services/" not in there
        assert (own / name).stat().st_mode == (debian / name).stat().st_mode
    for name in templates:
        assert (own / "templates" / name).read_text() == (debian / "templates" / name).read_text()


def test_it_has_what_belongs_where_it_lives(born: Path) -> None:
    alone = born.parent.name != "services"
    assert all((born / name).is_file() for name in OWN)
    assert {(born / name).exists() for name in ALONE} == {alone}
    assert (born / "manage.py").stat().st_mode & 0o111
    license = re.findall("^license = ", (born / "setup.cfg").read_text(), re.M)
    assert len(license) == (0 if alone else 1), "a team's own repository has the team's licence"


def test_it_is_in_the_houses_style(checkout: Checkout, born: Path) -> None:
    checkout.run(born, "ruff", "check", "--no-cache", ".")
    checkout.run(born, "ruff", "format", "--no-cache", "--check", ".")


def test_the_types_hold_in_the_suite(checkout: Checkout, births: Mapping[str, Path]) -> None:
    services = [str(births[kind] / "src") for kind in ("plain suite", "odd suite")]
    checkout.run(checkout.suite, *MYPY, *services)


def test_the_types_hold_alone(checkout: Checkout, births: Mapping[str, Path]) -> None:
    checkout.run(births["long alone"], *MYPY)


def test_the_layers_hold(checkout: Checkout, births: Mapping[str, Path]) -> None:
    path = ":".join(str(service / "src") for service in births.values())
    words = ("env", f"PYTHONPATH={path}", "lint-imports", "--no-logo", "--no-cache")
    assert " 0 broken" in checkout.run(checkout.suite, *words).stdout


@pytest.mark.parametrize("kinds", [["plain suite", "odd suite"], ["long alone"]])
def test_their_own_tests_pass_in_json_and_in_xml(
    checkout: Checkout, births: Mapping[str, Path], kinds: list[str]
) -> None:
    """Those of the suite in one process, as `make test` runs them."""
    paths = [births[kind] for kind in kinds]
    where = checkout.suite if len(kinds) > 1 else paths[0]
    python = f"PYTHONPATH={':'.join(str(path / 'src') for path in paths)}"
    words = (
        "-m",
        "pytest",
        "-v",
        "-p",
        "no:cacheprovider",
        *(str(path / "tests") for path in paths),
    )
    shown = checkout.run(where, "env", python, sys.executable, *words).stdout
    for language in ("json", "xml"):
        passed = re.findall(rf"test_what_is_written.*\[application/{language}\] PASSED", shown)
        assert len(passed) == len(kinds)


def test_the_migration_makes_what_the_models_say(
    checkout: Checkout, births: Mapping[str, Path]
) -> None:
    born = births["odd suite"]
    checkout.manage(born, "db", "upgrade")
    checkout.manage(born, "db", "check")


def test_manage_py_knows_its_routes_and_its_port(
    checkout: Checkout, births: Mapping[str, Path]
) -> None:
    born = births["long alone"]
    routes = checkout.manage(born, "routes").stdout.splitlines()
    own = [line.split(maxsplit=2) for line in routes if "scope" in line]
    assert {(method, policy.partition(":")[2]) for _, method, policy in own} == {
        ("GET", "read"),
        ("POST", "write"),
        ("PUT", "write"),
        ("PATCH", "write"),
        ("DELETE", "write"),
    }
    port = re.search(r"server.port +(\d+) +package", checkout.manage(born, "config", "show").stdout)
    assert port
    assert f"Port {port[1]}," in (born / "README.rst").read_text()


@pytest.mark.parametrize("kind", ["odd suite", "long alone"])
def test_its_documentation_is_built_without_a_warning(
    checkout: Checkout, births: Mapping[str, Path], tmp_path: Path, kind: str
) -> None:
    checkout.python(births[kind], "-m", "sphinx", "-q", "-n", "-W", "docs", str(tmp_path))


def test_a_resource_is_declared_in_less_than_15_lines(births: Mapping[str, Path]) -> None:
    (source,) = births["odd suite"].glob("src/*/resources.py")
    classes = [
        node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ClassDef)
    ]
    assert [node.name for node in classes] == ["TimeEntryList", "TimeEntry"]
    for node in classes:
        lines = source.read_text().splitlines()[node.lineno - 1 : node.end_lineno]
        assert len([line for line in lines if line.strip()]) < 15


def test_it_is_named_where_every_service_is(checkout: Checkout, births: Mapping[str, Path]) -> None:
    services = {path.parent.name for path in checkout.suite.glob("services/*/manage.py")}
    assert {"auth", "notes", births["odd suite"].name} < services
    for name, listed in lists(checkout.suite):
        assert listed == services, name


def test_every_service_has_a_port_of_its_own(
    checkout: Checkout, births: Mapping[str, Path]
) -> None:
    found = checkout.suite.glob("services/*/src/*/default_config.ini")
    ports = sorted(
        int(port) for path in found for port in re.findall(r"port = (\d+)", path.read_text())
    )
    assert ports == [*range(7001, 7001 + len(ports))]


def test_it_remembers_its_birth(checkout: Checkout, births: Mapping[str, Path]) -> None:
    head = checkout.run(checkout.suite, "git", "rev-parse", "HEAD").stdout.strip()
    for kind, template in {"plain suite": "../..", "plain alone": str(checkout.suite)}.items():
        birth = json.loads((births[kind] / ".cruft.json").read_text())
        assert birth["commit"] == head
        assert birth["template"] == template
        assert birth["context"]["cookiecutter"]["resource"] == "note"


def names(module: Path) -> set[str]:
    """Return every name that a module imports, binds or uses."""
    nodes = list(ast.walk(ast.parse(module.read_text())))
    return {
        *(alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names),
        *(node.id for node in nodes if isinstance(node, ast.Name)),
        *(node.arg for node in nodes if isinstance(node, ast.arg)),
        *(node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))),
    }


def test_no_resource_may_have_a_name_that_its_code_needs(births: Mapping[str, Path]) -> None:
    """The noun is a variable in domain.py, and its class has a name in every module."""
    package = births["odd suite"] / "src" / f"glassware_{births['odd suite'].name}"
    needed = names(package / "domain.py")
    for module in package.glob("*.py"):
        needed |= {name for name in names(module) if name.istitle()}
    needed |= {endpoint(resource).removesuffix("_list") for resource in SYSTEM}
    nouns = {name.lower() for name in needed if "_" not in name} - {"annotations", "timeentry"}
    hook = (ROOT / "cookiecutter-template" / "hooks" / "pre_gen_project.py").read_text()
    taken = re.search(r"TAKEN = set\((.*?)\.split", hook, re.S)
    assert taken
    assert nouns - set(taken[1].replace('"', "").split()) - set(dir(builtins)) == set()


def test_others_may_rely_on_it_by_contract(
    checkout: Checkout, births: Mapping[str, Path], tmp_path: Path
) -> None:
    need = {
        "consumer": "web",
        "provider": "notes",
        "request": "GET /notes",
        "headers": {"Accept": "application/json"},
        "body": None,
        "scopes": "notes:read",
        "status": 200,
        "media": "application/json",
        "fields": {"/items": "array"},
    }
    path = tmp_path / "notes.json"
    path.write_text(json.dumps([need]))
    for kind in ("plain suite", "plain alone"):
        shown = checkout.manage(births[kind], "contract", "verify", str(path))
        assert shown.stdout == "1 requests hold, of web.\n"
    path.write_text(json.dumps([{**need, "fields": {"/notes": "array"}}]))
    shown = checkout.manage(births["plain alone"], "contract", "verify", str(path), expect=1)
    assert "web: GET /notes as application/xml: there is no field /notes" in shown.stderr


def test_it_keeps_what_it_needs_of_others_by_contract(
    checkout: Checkout, births: Mapping[str, Path]
) -> None:
    """Its tokens are checked by the keys of the auth service, beside which it was made."""
    born = births["plain suite"]
    test = born / "tests" / "test_needs.py"
    test.write_text(
        "import pytest\n\n\n@pytest.mark.contract\n"
        "def test_a_token_is_believed(ann):\n"
        '    assert ann.get("/notes").status_code == 200\n'
    )
    kept = born / "contracts" / "auth.json"
    try:
        assert (
            checkout.manage(born, "contract", "record").stdout == "contracts/auth.json: written.\n"
        )
        (need,) = json.loads(kept.read_text())
        assert need["request"] == "GET /.well-known/jwks.json"
        assert "/keys/*/kid" in need["fields"]
        checkout.manage(born, "contract", "record", "--check")
        auth = checkout.suite / "services" / "auth"
        proved = checkout.manage(auth, "contract", "verify").stdout
        assert proved.endswith("requests hold, of archives, notes, tasks.\n")
    finally:
        test.unlink()
        shutil.rmtree(kept.parent)
