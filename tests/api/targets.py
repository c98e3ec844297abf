"""Every route of every service of the house, with what a well-meant request to it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from glassware.api import Collection, Item, Resource, parse
from glassware.jobs.worker import Worker
from glassware.service import Service
from glassware.testing import Mesh
from glassware.testing.mesh import ADDRESSES
from glassware_auth.domain import users
from glassware_auth.models import db

from .worlds import Wire

FOLDER = Path(__file__).parents[2] / "services"
NAMES = sorted(path.parent.name[len("glassware_") :] for path in FOLDER.glob("*/src/*/app.py"))
PASSWORD = "correct horse battery staple"
WRITES = ("POST", "PUT", "PATCH")


@dataclass(frozen=True)
class Route:
    """One method of one resource of one service."""

    wire: Wire
    service: str
    resource: type[Resource]
    method: str
    path: bytes
    token: str

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.resource.path}"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Be short where hypothesis shows all routes with each of its examples."""
        printer.text(str(self))

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the media types of the body that it reads, none where it reads no body."""
        takes = self.resource.body or issubclass(self.resource, Collection | Item)
        if self.method not in WRITES or not takes:
            return ()
        patch = self.method == "PATCH" and issubclass(self.resource, Item)
        return (parse.MERGE, parse.XML) if patch else self.resource.reads

    @property
    def puts_by_name(self) -> bool:
        return self.method == "PUT" and self.resource.path.endswith("/<name>")

    @property
    def schema(self) -> Any:
        return self.resource.body or getattr(self.resource, "schema", None)

    @property
    def is_public(self) -> bool:
        policy = self.resource.policy_for(self.method)
        return policy is not None and policy.is_public

    def send(self, headers: dict[str, str], body: bytes = b"", **more: Any) -> Any:
        """Send a request that has all it needs, but for what is given here."""
        usual = {"Authorization": f"Bearer {self.token}", "If-Match": "*"}
        if self.reads:
            usual["Content-Type"] = self.reads[0]
        request = {"method": self.method, "target": self.path, **more}
        kept = {name: value for name, value in {**usual, **headers}.items() if value is not None}
        return self.wire.raw(headers=kept, body=body, **request)


@dataclass
class House:
    """All services, an administrator's token for each, and the URLs of items that are there."""

    wires: dict[str, Wire] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)

    def routes(self) -> Iterator[Route]:
        for name, wire in self.wires.items():
            for rule in wire.app.url_map.iter_rules():
                resource = wire.app.view_functions[rule.endpoint].view_class
                path = self.items.get(f"{name}.{rule.endpoint}", rule.rule)
                for method in sorted(resource.methods):
                    yield Route(wire, name, resource, method, path.encode(), self.tokens[name])


def services() -> list[Service]:
    return [import_module(f"glassware_{name}.app").service for name in NAMES]


@contextmanager
def house(world: Any) -> Iterator[House]:
    """Run the services of the repository, and the notes of the world beside them."""
    with ExitStack() as stack:
        mesh = stack.enter_context(Mesh(services(), settings={"auth.access_lifetime": "3600"}))
        found = House({name: Wire(app) for name, app in mesh.apps.items()})
        furnish(found, mesh)
        note = world.add().json()["url"].removeprefix("http://127.0.0.1:7009")
        found.wires["notes"] = world
        found.tokens["notes"] = world.token
        ways = {"note": note, "half": "/half/fault", "abort": "/abort/400"}
        for service in found.wires:
            found.items[f"{service}.problem_type"] = "/problems/stale"
        found.items |= {f"notes.{endpoint}": path for endpoint, path in ways.items()}
        yield found


def furnish(found: House, mesh: Mesh) -> None:
    """Put an administrator, a person, a task of theirs and an account into the services."""
    auth, tasks = mesh.client("auth"), mesh.client("tasks")
    person = person_of(mesh, "person")
    admin = person_of(mesh, "admin", admin=True)

    def headers(name: str) -> dict[str, str]:
        given = {"email": f"{name}@example.org", "password": PASSWORD}
        return {"Authorization": f"Bearer {auth.post('/login', json=given).json()['access_token']}"}

    made = {"title": "a", "person": f"{ADDRESSES['auth']}/users/{person}"}
    task = tasks.post("/tasks", headers=headers("person"), json=made).json()
    task_path = "/tasks/" + task["url"].rpartition("/")[2]
    file = f"{task_path}/attachments/a.txt"
    tasks.put(file, headers=headers("person"), content=b"a").raise_for_status()
    account = {"client_id": "tests", "scopes": ["tasks:read"]}
    client = auth.post("/clients", headers=headers("admin"), json=account).json()
    job = archived(mesh, headers("admin"))
    found.tokens = dict.fromkeys(found.wires, headers("admin")["Authorization"].split()[1])
    found.items = {
        "auth.user": f"/users/{person}",
        "auth.user_password": f"/users/{admin}/password",
        "auth.client": f"/clients/{client['id']}",
        "auth.client_secret": f"/clients/{client['id']}/secret",
        "tasks.task": task_path,
        "tasks.attachment_list": f"{task_path}/attachments",
        "tasks.attachment": file,
        "archives.job": f"/jobs/{job}",
        "archives.archive": f"/archives/{job}",
        "archives.archive_link_list": f"/archives/{job}/links",
        "archives.job_retry_list": f"/jobs/{job}/retries",
        "archives.lent_archive": f"/archives/{job}/file",
    }


def archived(mesh: Mesh, headers: dict[str, str]) -> str:
    """Have an archive built; return the id of its job."""
    body = {"entries": [{"name": "a", "text": "a"}]}
    later = {**headers, "Prefer": "respond-async"}
    job = mesh.client("archives").post("/archives", headers=later, json=body).json()
    app = mesh.apps["archives"]
    with app.app_context():
        assert Worker(app).step()
    return str(job["url"].rpartition("/")[2])


def person_of(mesh: Mesh, name: str, admin: bool = False) -> str:
    """Create a person as an operator does; return their id."""
    with mesh.apps["auth"].app_context():
        about = {"email": f"{name}@example.org", "name": name, "admin": admin}
        authority = mesh.apps["auth"].extensions["glassware"].parts
        user = users.add(authority, PASSWORD, activated=True, **about)
        db.session.commit()
        return str(user.id)
