"""A service is declared as data; each app that is made of it stands alone."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from flask import has_app_context, has_request_context

from glassware.api import Resource
from glassware.api.declare import DeclarationError
from glassware.auth import authenticated, public
from glassware.config import ConfigError, Option
from glassware.service import Service
from glassware.testing import Issuer, Mesh, assert_problem

FOLDER = Path(__file__).parents[2] / "services"
PACKAGES = sorted(path.parent.name for path in FOLDER.glob("*/src/*/app.py"))


class Whoami(Resource):
    """Says who calls."""

    path = "/whoami"
    policy = authenticated()

    def get(self, who: Any) -> Any:
        return {"subject": who.subject}


class Parts(Resource):
    """Says what the service keeps."""

    path = "/parts"
    policy = public("nothing secret")

    def get(self, who: Any) -> Any:
        from glassware.api import runtime

        return {"name": runtime().parts, "limit": runtime().config["paging.limit"]}


plain = Service(
    "plain",
    "glassware",
    (Whoami, Parts),
    options=(Option("plain.name", str, "nobody", "A name."),),
    make_parts=lambda config: config["plain.name"],
)


def settings(place: Path, **more: str) -> dict[str, str]:
    return {
        "service.mode": "development",
        "service.state_dir": str(place),
        "service.secrets_dir": str(place / "secrets"),
        **more,
    }


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def make(tmp_path: Path, issuer: Issuer) -> Any:
    def make(service: Service = plain, **more: str) -> Any:
        transports = {"auth": issuer.transport}
        return service.create_app(settings(tmp_path, **more), environ={}, transports=transports)

    return make


def test_two_apps_of_one_service_have_each_what_is_theirs(make: Any) -> None:
    one = make(**{"plain.name": "one", "paging.limit": "1"})
    other = make(**{"plain.name": "other", "paging.limit": "2"})
    for _ in range(2):
        assert one.test_client().get("/parts").json == {"name": "one", "limit": 1}
        assert other.test_client().get("/parts").json == {"name": "other", "limit": 2}


def test_two_houses_in_one_process_share_neither_people_nor_tokens_nor_tasks() -> None:
    tasks, auth = (import_module(f"glassware_{name}.app").service for name in ("tasks", "auth"))
    with Mesh([auth, tasks]) as one, Mesh([auth, tasks]) as other:
        headers, person = sign_in(one)
        made = one.client("tasks").post(
            "/tasks", headers=headers, json={"title": "a", "person": person}
        )
        assert made.status_code == 201, made.text
        assert_problem(other.client("tasks").get("/tasks", headers=headers), 401)
        theirs, _ = sign_in(other)
        assert other.client("tasks").get("/tasks", headers=theirs).json()["items"] == []
        assert_problem(other.client("tasks").get(made.json()["url"], headers=theirs), 404)
        assert len(one.client("tasks").get("/tasks", headers=headers).json()["items"]) == 1


def sign_in(mesh: Mesh) -> tuple[dict[str, str], str]:
    """Register a person; return their headers and their URL."""
    auth, given = mesh.client("auth"), {"email": "a@example.org", "password": "a long password"}
    made = auth.post("/users", json={**given, "name": "A"}).json()
    auth.post(made["activation"]).raise_for_status()
    token = auth.post("/login", json=given).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}, made["url"]


def test_requests_of_two_apps_at_once_do_not_mix(make: Any, issuer: Issuer) -> None:
    apps = [make(**{"plain.name": name}) for name in ("one", "other")]
    found: list[tuple[str, str, str, str]] = []

    def ask(number: int) -> None:
        subject, app = f"person-{number}", apps[number % 2]
        client = app.test_client()
        for _ in range(10):
            who = client.get("/whoami", headers=issuer.headers(subject)).json["subject"]
            found.append(
                (subject, who, ("one", "other")[number % 2], client.get("/parts").json["name"])
            )

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 80
    assert all(asked == who and own == name for asked, who, own, name in found)


def test_making_an_app_leaves_no_context_behind(make: Any) -> None:
    make().test_client().get("/")
    assert not has_app_context()
    assert not has_request_context()


def test_an_app_that_nobody_holds_is_gone(make: Any) -> None:
    app = make()
    app.test_client().get("/")
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None


AUDIT = """
import importlib, sys

def watch(event, arguments):
    first = str(arguments[0]) if arguments else ""
    if first.endswith("ldconfig"):
        return  # so ctypes finds libarchive
    if event == "open" and first.endswith((".ini", ".sqlite", ".conf", ".cfg")):
        print("opened", first)
    elif event.startswith(("socket.connect", "socket.bind", "sqlite3.connect", "os.mkdir",
                           "os.remove", "os.rename", "subprocess.Popen", "os.fork")):
        print(event, arguments)
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        if not first.endswith(".pyc") and ".pyc." not in first and "/dev/" not in first:
            print("wrote", first)

sys.dont_write_bytecode = True
sys.addaudithook(watch)
for name in sys.argv[1:]:
    importlib.import_module(name)
from flask import Flask
import gc
print("apps", sum(isinstance(each, Flask) for each in gc.get_objects()))
"""


def test_an_import_opens_nothing_and_makes_no_app() -> None:
    names = [f"{package}.app" for package in PACKAGES]
    done = subprocess.run(
        [sys.executable, "-c", AUDIT, "glassware.service", *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PATH": "/usr/bin", "GLASSWARE_TASKS__SERVER__PORT": "not a number"},
    )
    assert done.stdout.splitlines() == ["apps 0"]


def test_what_cannot_be_configured_does_not_boot(make: Any) -> None:
    for wrong in ({"plain.nmae": "x"}, {"server.port": "high"}, {"app.secret_key": "x"}):
        with pytest.raises(ConfigError) as refused:
            make(**wrong)
        assert next(iter(wrong)) in str(refused.value)


def test_a_resource_without_a_policy_stops_the_boot(make: Any) -> None:
    class Open(Resource):
        path = "/open"

        def get(self, who: Any) -> Any: ...

    with pytest.raises(DeclarationError, match="Open: it has no policy"):
        make(Service("plain", "glassware", (Open,)))


def test_production_does_not_boot_on_secrets_of_development(make: Any) -> None:
    make()
    with pytest.raises(ConfigError, match="secret_key"):
        make(**{"service.mode": "production"})


def test_the_keys_of_the_issuer_are_needed_to_be_ready_but_not_to_live(
    make: Any, issuer: Issuer
) -> None:
    healthy = issuer.answer

    def sick() -> Any:
        raise OSError("down")

    issuer.answer = sick
    client = make(**{"auth.keys_cooldown": "0"}).test_client()
    assert client.get("/health/live").status_code == 200
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json["status"] == "failing"
    refused = client.get("/whoami", headers=issuer.headers("a"))
    assert_problem(refused, 503, "keys-unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    issuer.answer = healthy
    for _ in range(200):
        if client.get("/whoami", headers=issuer.headers("a")).status_code == 200:
            break
    assert client.get("/health/ready").json == {"status": "ok", "checks": {"keys": "ok"}}


def test_what_every_service_has_is_public_for_a_reason(make: Any) -> None:
    """Whoever adds a route to all services opens it to everybody here, and nowhere else."""
    views = make().view_functions.values()
    public_ = {view.view_class.path for view in views if view.view_class.policy.is_public}
    assert public_ == {
        *("/", "/health/live", "/health/ready", "/problems", "/problems/<slug>"),
        *("/openapi.json", "/docs", "/static/<name>", "/fault", "/parts"),
        *("/schemas", "/schemas/<name>"),
    }


def test_the_root_lists_the_resources_by_their_urls(make: Any) -> None:
    client = make().test_client()
    document = client.get("/").json
    assert document["service"] == "plain"
    for url in document["resources"].values():
        assert client.get(url).status_code in (200, 401, 500)
    assert "whoami" in document["resources"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_problem_of_every_service_is_explained_under_its_url(package: str) -> None:
    service = import_module(f"{package}.app").service
    with Mesh([service]) as mesh:
        client = mesh.client(service.name)
        listed = client.get("/problems").json()["items"]
        assert len({each["url"] for each in listed}) == len(listed) > 20
        for each in listed:
            assert client.get(each["url"]).json() == each
            assert each["meaning"].endswith(".")
            assert each["advice"]
