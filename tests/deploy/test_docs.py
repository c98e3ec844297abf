"""The pages for operators say nothing that is not so: commands, options, log lines, files."""

from __future__ import annotations

import io
import json
import logging
import os
import pwd
import re
import shlex
import signal
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import click
import pytest
import yaml
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from glassware.cli import Manager
from glassware.config import Config
from glassware.observe.logging import configure
from glassware.testing import Mesh
from glassware.testing.postgres import Postgres
from glassware_archives.app import service as archives
from glassware_auth.app import service as auth
from glassware_tasks.app import service as tasks

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs" / "howto"
PAGES = [
    *(HOWTO / f"{name}.rst" for name in ("backup", "configure", "monitoring", "postgresql")),
    *sorted((ROOT / "docs" / "runbook").glob("*.rst")),
]
SERVICES = {each.name: each for each in (auth, tasks, archives)}


def blocks(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """Yield the caption and the content of each code block of the language."""
    pattern = rf"( *)\.\. code-block:: {language}\n((?:\1    ?:caption: .*\n)?)((?:\1    .*\n|\n)+)"
    for indent, caption, content in re.findall(pattern, page.read_text()):
        lines = [line.removeprefix(f"{indent}    ") for line in content.strip("\n").splitlines()]
        if lines[0].startswith(":caption:"):
            caption, lines = lines[0], lines[1:]
        yield caption.strip().removeprefix(":caption: "), "\n".join(lines).strip("\n") + "\n"


def commands() -> Iterator[tuple[str, str]]:
    """Yield each command of ours that a page has, in a block or in a sentence."""
    for page in PAGES:
        for found in re.finditer(
            r"\bglassware-(auth|tasks|archives) ([a-z][^\n`|>]*)", page.read_text()
        ):
            words = found[2].partition(" -- ")[0].split("  ")[0]
            yield page.stem, f"{found[1]} {words.strip()}"


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_a_command_of_ours_is_one(page: str, line: str) -> None:
    service, *words = shlex.split(line.partition("<")[0])
    command: click.Command = Manager(f"glassware_{service}.app:service")
    context = click.Context(command, info_name=f"glassware-{service}")
    context.meta["glassware.manager"] = command
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, f"{page}: there is no {line}"
        command, words = found, words[1:]
    assert not isinstance(command, click.Group), f"{page}: {line} is not whole"
    command.make_context(line, words, parent=context)  # raises for what it does not take


def test_there_are_commands_to_check() -> None:
    found = {line for _, line in commands()}
    assert {"tasks doctor", "tasks db check", "tasks restore - --yes <FILE"} <= found, found


def settings() -> list[tuple[str, str, str]]:
    return [
        (page.stem, caption, content) for page in PAGES for caption, content in blocks(page, "ini")
    ]


@pytest.mark.parametrize(("page", "caption", "content"), settings())
def test_a_piece_of_configuration_is_accepted(
    page: str, caption: str, content: str, tmp_path: Path
) -> None:
    place = re.match(r"/etc/glassware/(\w+)\.d/(\w+\.ini)", caption)
    assert place, f"{page}: where does it belong? {caption}"
    also = re.findall(r"\b(tasks|archives|auth)\b", caption.partition(",")[2])
    for name in (place[1], *also):
        (tmp_path / f"{name}.d").mkdir()
        (tmp_path / f"{name}.d" / place[2]).write_text(content)
        config = Config.load(
            service=name,
            options=SERVICES[name].declared(),
            environ={},
            etc=tmp_path,
            overrides={"service.mode": "development", "service.secrets_dir": str(tmp_path / name)},
        )
        parser = ConfigParser(interpolation=None)
        parser.read_string(content)
        for section in parser.sections():
            for option in parser[section]:
                assert place[2] in config.origin(f"{section}.{option}")


def test_the_sites_comment_is_the_configuration_of_the_page() -> None:
    """deploy/nginx/glassware.conf tells the same as configure.rst."""
    site = (ROOT / "deploy/nginx/glassware.conf").read_text()
    told = re.findall(r"^#     (\[?[a-z].*)$", site, re.M)
    assert "\n".join(told) in dict(blocks(HOWTO / "configure.rst", "ini"))[
        "/etc/glassware/tasks.d/site.ini"
    ].replace("\n\n", "\n")


def test_the_jobs_of_prometheus_are_the_services(tmp_path: Path) -> None:
    (_, content), *_ = blocks(HOWTO / "monitoring.rst", "yaml")
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in yaml.safe_load(content)["scrape_configs"]
    }
    expected = {}
    for name, service in SERVICES.items():
        places = {"service.mode": "development", "service.secrets_dir": str(tmp_path / name)}
        port = service.configure(places, {})["server.port"]
        expected[f"glassware-{name}"] = [f"127.0.0.1:{port}"]
    assert jobs == expected


def test_the_table_of_metrics_is_that_of_the_exported_ones() -> None:
    page = (HOWTO / "monitoring.rst").read_text()
    listed = set(re.findall(r"^``([a-z_]+)``  ", page, re.M))
    with Mesh([auth, tasks, archives]) as mesh:
        exported = "".join(mesh.client(name).get("/metrics").text for name in ("tasks", "archives"))
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", exported, re.M))
    assert listed == {name for name in kinds if not name.endswith("_created")}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The log of a service that is asked for this and that."""
    root, stream = logging.getLogger(), io.StringIO()
    before = (root.handlers[:], root.level)
    configure("tests", "INFO", stream)
    try:
        with Mesh([auth]) as mesh:
            client = mesh.client("auth")
            client.get("/fault")
            client.post("/login", json={"email": "nobody@example.org", "password": "wrong wrong"})
    finally:
        root.handlers[:], root.level = before
    return stream.getvalue()


def patterns() -> list[tuple[str, str]]:
    return sorted(
        (page.stem, pattern.strip("'"))
        for page in PAGES
        for pattern in re.findall(r"--grep=('[^']*'|\w+)", page.read_text())
        if pattern != "REQUEST_ID"
    )


@pytest.mark.parametrize(("page", "pattern"), patterns())
def test_what_is_searched_for_in_the_log_is_written_there(
    page: str, pattern: str, lines: str
) -> None:
    if pattern.isidentifier():
        sources = "".join(path.read_text() for path in (ROOT / "glassware").rglob("*.py"))
        assert re.search(rf'"{pattern}["%:]', sources), f"{page}: nobody logs {pattern}"
    elif pattern.startswith('"seconds"'):
        assert re.search(pattern, json.dumps({"seconds": 1.5}))
        assert '"seconds": 0.' in lines
    else:
        assert re.search(pattern, lines), f"{page}: no line has {pattern}"


def test_peer_authentication_works_as_the_page_has_it(tmp_path: Path) -> None:
    files = dict(blocks(HOWTO / "postgresql.rst", "text"))
    ident = next(text for caption, text in files.items() if "pg_ident.conf" in caption)
    access = next(text for caption, text in files.items() if "pg_hba.conf" in caption)
    me = pwd.getpwuid(os.geteuid()).pw_name
    with Postgres() as cluster:
        cluster.create("tasks")
        (cluster.data / "pg_ident.conf").write_text(ident.replace("glassware-tasks", me))
        (cluster.data / "pg_hba.conf").write_text(f"{access}local all all peer\n")
        assert cluster.server is not None
        cluster.stop(signal.SIGINT)
        cluster.start()
        for role in ("serve", "migrate"):
            connect(cluster.url("tasks", role))
        with pytest.raises(OperationalError, match=r"(?i)peer authentication failed"):
            connect(cluster.url("tasks", "serve").replace("tasks_serve", "postgres"))


def connect(url: str) -> None:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        connection.execute(text("SELECT 1"))
