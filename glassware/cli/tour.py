"""The tour: the suite's main job on real input, each request and answer shown as it goes."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
import textwrap
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_urlsafe
from shutil import which
from typing import Any
from uuid import uuid4

import click
import httpx2

from glassware.cli.processes import Suite, free_ports, is_ready

#: Where the tour serves its file from. The development suite lets archives fetch from there; any
#: other address of this machine is refused to it.
FILE_PORT = 7009
FILE_BLOCK, FILE_BLOCKS = (
    b"All that is gold does not glitter; this line does not either.\n" * 1024,
    128,
)
SETTINGS = {"archives.allowed_sources": f"http://127.0.0.1:{FILE_PORT}"}
SHOWN = 1400


class FileHandler(BaseHTTPRequestHandler):
    """Serves one file of 8 MiB."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(FILE_BLOCK) * FILE_BLOCKS))
        self.end_headers()
        for _ in range(FILE_BLOCKS):
            self.wfile.write(FILE_BLOCK)

    def log_message(self, *_: object) -> None:
        """Say nothing: the tour shows what matters."""


class Tour:
    """Speaks to the suite as another program would, and shows it."""

    def __init__(self, suite: Suite, file_url: str, folder: Path) -> None:
        self.suite, self.file_url, self.folder = suite, file_url, folder
        self.http = httpx2.Client(timeout=30, trust_env=False)
        self.auth, self.tasks, self.archives = (
            suite.members[name].url for name in ("auth", "tasks", "archives")
        )
        self.password = token_urlsafe(16)
        self.steps = 0
        self.faults: list[str] = []

    def walk(self) -> None:
        ann, email = self.register()
        token = self.log_in(email)
        self.create_tasks(self.service_account(), ann)
        self.read_tasks(token)
        file = self.attach(token)
        for form in ("zip", "tar.gz"):
            self.build(token, form, file)
        self.bad_token()
        self.long_title(token, ann)
        self.broken_source(token)

    def step(self, title: str) -> None:
        self.steps += 1
        click.secho(f"\n{self.steps}. {title}", bold=True)

    def call(self, method: str, url: str, expect: int, **kwargs: Any) -> httpx2.Response:
        """Send the request, show it and its answer, and note an answer that was not expected."""
        request = self.http.build_request(method, url, **kwargs)
        click.secho(f"> {method} {url}", fg="cyan")
        for name in ("accept", "content-type", "authorization", "if-match"):
            value = request.headers.get(name, "*/*")
            if value != "*/*":
                click.secho(
                    f"> {name.title()}: {value[:24]}{'...' if len(value) > 24 else ''}", fg="cyan"
                )
        if "json" in kwargs:
            text = json.dumps(kwargs["json"], indent=2, ensure_ascii=False)
            click.secho(textwrap.indent(text, "> "), fg="cyan")
        elif request.content:
            click.secho(f"> {request.content.decode()}", fg="cyan")
        response = self.http.send(request)
        show(response)
        if response.status_code != expect:
            self.faults.append(f"{method} {url} answered {response.status_code}, not {expect}")
        return response

    def register(self) -> tuple[str, str]:
        self.step("A person registers, and follows the link that activates the account")
        email = f"ann-{uuid4().hex[:8]}@example.org"
        body = {"email": email, "name": "Ann", "password": self.password}
        person = self.call("POST", f"{self.auth}/users", 201, json=body).json()
        self.call("POST", person["activation"], 200)
        return person["url"], email

    def log_in(self, email: str) -> dict[str, str]:
        self.step("She logs in")
        body = {"email": email, "password": self.password}
        answer = self.call("POST", f"{self.auth}/login", 200, json=body).json()
        return bearer(answer["access_token"])

    def service_account(self) -> dict[str, str]:
        self.step("A service account, made by an operator, gets a token by client_credentials")
        name = f"tour-{uuid4().hex[:8]}"
        words = (
            "clients",
            "create",
            name,
            "--scopes",
            "tasks:write tasks:read tasks:admin users:read",
        )
        click.secho(f"$ services/auth/manage.py {shlex.join(words)}", fg="cyan")
        client = json.loads(self.suite.manage("auth", *words, "--json"))
        answer = self.call(
            "POST",
            f"{self.auth}/oauth/token",
            200,
            data={"grant_type": "client_credentials"},
            headers=basic(client["client_id"], client["client_secret"]),
        ).json()
        return bearer(answer["access_token"])

    def create_tasks(self, headers: Mapping[str, str], person: str) -> None:
        self.step("The service account gives her three tasks")
        for title in (
            "Water the plants",
            "Write the report <draft & notes>",
            "Grüße an Ødegård senden",
        ):
            body = {"title": title, "person": person, "due_to": "2027-01-31T12:00:00+01:00"}
            self.call("POST", f"{self.tasks}/tasks", 201, json=body, headers=headers)

    def read_tasks(self, headers: Mapping[str, str]) -> None:
        self.step("She reads them, as JSON and as XML")
        url = f"{self.tasks}/tasks?fields=title,due_to,done,url&sort=title"
        self.call("GET", url, 200, headers=headers)
        self.call("GET", url, 200, headers={**headers, "Accept": "application/xml"})

    def attach(self, headers: Mapping[str, str]) -> str:
        self.step("She attaches a file to one of them")
        page = self.http.get(f"{self.tasks}/tasks?limit=1&fields=url", headers=headers).json()
        url = f"{page['items'][0]['url']}/attachments/Grüße.txt"
        headers = {**headers, "Content-Type": "text/plain; charset=utf-8"}
        content = "Write to Ødegård first.\n".encode()
        made = self.call("PUT", url, 201, content=content, headers=headers)
        return httpx2.URL(made.json()["url"]).raw_path.decode()

    def build(self, headers: Mapping[str, str], form: str, file: str) -> None:
        self.step(f"She has a {form} built of her tasks, that file, a text, and what a URL streams")
        body = {
            "format": form,
            "entries": [
                {"name": "tasks.json", "service": "tasks", "path": "/tasks"},
                {
                    "name": "tasks.xml",
                    "service": "tasks",
                    "path": "/tasks",
                    "accept": "application/xml",
                },
                {"name": "notes/Grüße.txt", "service": "tasks", "path": file},
                {"name": "notes/hello.txt", "text": "Hello, Ann.\n"},
                {"name": "notes/lines.txt", "url": self.file_url},
            ],
        }
        response = self.call("POST", f"{self.archives}/archives", 200, json=body, headers=headers)
        path = self.folder / f"ann.{form}"
        path.write_bytes(response.content)
        self.list(path)

    def list(self, path: Path) -> None:
        """List the archive with a program that is not ours."""
        command = reader(path)
        click.secho(f"$ {' '.join(command)}", fg="cyan")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        click.echo(textwrap.indent(done.stdout + done.stderr, "  ").rstrip())
        if done.returncode or "notes/lines.txt" not in done.stdout:
            self.faults.append(f"{command[0]} could not list {path.name}")

    def bad_token(self) -> None:
        self.step("What must fail: a token that does not hold")
        self.call("GET", f"{self.tasks}/tasks", 401, headers=bearer("not.a.token"))

    def long_title(self, headers: Mapping[str, str], person: str) -> None:
        self.step("What must fail: a task with a title of 101 characters, in XML")
        body = {"title": "x" * 101, "person": person}
        headers = {**headers, "Accept": "application/xml"}
        self.call("POST", f"{self.tasks}/tasks", 422, json=body, headers=headers)

    def broken_source(self, headers: Mapping[str, str]) -> None:
        self.step("What must fail: an archive whose source answers 500, two hops away")
        entry = {"name": "tasks.json", "service": "tasks", "path": "/fault"}
        body = {"format": "zip", "entries": [entry]}
        response = self.call("POST", f"{self.archives}/archives", 502, json=body, headers=headers)
        request_id = response.headers["X-Request-Id"]
        for name in ("archives", "tasks"):
            self.show_log(name, request_id)

    def show_log(self, name: str, request_id: str) -> None:
        """Show what the service's log has under the request id."""
        found = logged(self.suite.log(name), request_id)
        click.secho(f"$ grep {request_id} {self.suite.log(name)}", fg="cyan")
        for line in found:
            click.echo(f"  {line[:220]}{'...' if len(line) > 220 else ''}")
        if not found:
            self.faults.append(f"the log of {name} does not know the request id {request_id}")


def basic(name: str, secret: str) -> dict[str, str]:
    credentials = b64encode(f"{name}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def show(response: httpx2.Response) -> None:
    """Print the status, the headers that matter, and the body as far as it is text."""
    good = response.status_code < 400
    click.secho(
        f"< {response.status_code} {response.reason_phrase}", fg="green" if good else "yellow"
    )
    for name in ("Content-Type", "Location", "ETag", "X-Request-Id"):
        if name in response.headers:
            click.echo(f"< {name}: {response.headers[name]}")
    kind = response.headers.get("content-type", "")
    if "json" in kind:
        text = json.dumps(hidden(response.json()), indent=2, ensure_ascii=False)
    else:
        text = response.text if "xml" in kind else f"({len(response.content):,} bytes)"
    click.echo(textwrap.indent(text[:SHOWN] + (" ..." if len(text) > SHOWN else ""), "  "))


def hidden(document: Any) -> Any:
    """Return the document with its tokens cut: a terminal is often shown to others."""
    if not isinstance(document, dict):
        return document
    return {
        name: f"{value[:12]}..." if name.endswith("_token") else value
        for name, value in document.items()
    }


def reader(path: Path) -> list[str]:
    """Return the command that lists the archive: the usual program, or Python's own reader."""
    if path.suffix == ".zip":
        return (
            ["unzip", "-l", str(path)]
            if which("unzip")
            else ["python3", "-m", "zipfile", "-l", str(path)]
        )
    return ["bsdtar", "-tvf", str(path)] if which("bsdtar") else ["tar", "-tvzf", str(path)]


@contextmanager
def file_server(port: int) -> Iterator[str]:
    """Serve the tour's file; yield its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", port), FileHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/lines.txt"
    finally:
        server.shutdown()
        server.server_close()


def walk(root: Path) -> None:
    """Walk through the running suite, or through one of its own."""
    running = Suite(root, root / "var", settings=SETTINGS)
    with tempfile.TemporaryDirectory(prefix="glassware-tour-") as folder:
        if all(is_ready(member.url) for member in running.members.values()):
            click.echo("The suite runs; the tour uses it.")
            visit(running, FILE_PORT, Path(folder))
            return
        click.echo("The suite does not run; the tour starts one of its own ...")
        ports = free_ports([*running.members, "file"])
        allowed = {"archives.allowed_sources": f"http://127.0.0.1:{ports['file']}"}
        own = Suite(root, Path(folder) / "var", ports=ports, settings=allowed)
        try:
            own.prepare()
            own.start()
            visit(own, ports["file"], Path(folder))
        finally:
            own.stop()


def visit(suite: Suite, file_port: int, folder: Path) -> None:
    """Walk, then say how it went; exit with 1 where an answer was not as it must be."""
    with file_server(file_port) as file_url:
        tour = Tour(suite, file_url, folder)
        tour.walk()
    if tour.faults:
        raise click.ClickException("\n".join(tour.faults))
    click.secho(f"\n{tour.steps} steps, every answer as it must be.", bold=True)


def logged(log: Path, request_id: str) -> list[str]:
    """Return the lines of the request; the last is written when the answer has left: wait a bit."""
    deadline = time.monotonic() + 2
    while True:
        lines = log.read_text(errors="replace").splitlines()
        found = [line for line in lines if request_id in line]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)
