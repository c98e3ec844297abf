"""The real service in this process, and people and service accounts who call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from glassware.testing import Mesh
from glassware_auth.app import service
from glassware_auth.domain import clients, users
from glassware_auth.models import User, db

URL = "http://127.0.0.1:7001"
PLACES = ("service.mode", "service.state_dir", "service.secrets_dir", "database.url")
PASSWORD = "correct horse battery staple"


@dataclass
class Caller:
    """Somebody who may call: a person with an email, or a service account with a secret."""

    subject: str
    name: str
    secret: str
    token: str = ""

    @property
    def url(self) -> str:
        return f"{URL}/users/{self.subject}"


class House:
    """One running auth service."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.app = mesh.apps["auth"]
        self.count = 0

    def call(
        self,
        method: str,
        path: str,
        who: Caller | None = None,
        *,
        address: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> Any:
        given = dict(headers or {})
        if who is not None:
            given["Authorization"] = f"Bearer {who.token}"
        return self.app.test_client().open(
            path.removeprefix(URL),
            method=method,
            base_url=URL,
            headers=given,
            environ_overrides={"REMOTE_ADDR": address},
            **kwargs,
        )

    def get(self, path: str, who: Caller | None = None, **kwargs: Any) -> Any:
        return self.call("GET", path, who, **kwargs)

    def post(self, path: str, who: Caller | None = None, **kwargs: Any) -> Any:
        return self.call("POST", path, who, **kwargs)

    def change(self, method: str, path: str, who: Caller, document: Any = None) -> Any:
        """Read the item, then change this version of it."""
        tag = self.get(path, who).headers["ETag"]
        kind = "application/merge-patch+json" if method == "PATCH" else None
        return self.call(
            method, path, who, headers={"If-Match": tag}, json=document, content_type=kind
        )

    def new_email(self) -> str:
        self.count += 1
        return f"person{self.count}@example.org"

    def person(self, *, activated: bool = True, admin: bool = False, token: bool = True) -> Caller:
        """Return a new person, who has signed in if they can."""
        email = self.new_email()
        with self.app.app_context():
            user = users.add(
                self.app.extensions["glassware"].parts,
                PASSWORD,
                email=email,
                name="A person",
                admin=admin,
                activated=activated,
            )
            db.session.commit()
            caller = Caller(user.subject, email, PASSWORD)
        if activated and token:
            caller.token = self.login(caller).json["access_token"]
        return caller

    def account(self, scopes: str, *, first_party: bool = False, delegate: bool = False) -> Caller:
        """Return a new service account with its token."""
        self.count += 1
        name = f"account-{self.count}"
        with self.app.app_context():
            config = self.app.extensions["glassware"].config
            client = clients.add(config, name, scopes.split(), first_party, delegate=delegate)
            db.session.commit()
            caller = Caller(name, name, client.client_secret)
        caller.token = self.grant(caller, grant_type="client_credentials").json["access_token"]
        return caller

    def login(self, person: Caller, **kwargs: Any) -> Any:
        return self.post("/login", json={"email": person.name, "password": person.secret}, **kwargs)

    def grant(self, client: Caller | None = None, **form: str) -> Any:
        """Ask the token endpoint, the client by HTTP Basic."""
        auth = (client.name, client.secret) if client else None
        return self.app.test_client().post("/oauth/token", base_url=URL, data=form, auth=auth)

    def refresh(self, token: str, client: Caller | None = None, **form: str) -> Any:
        return self.grant(client, grant_type="refresh_token", refresh_token=token, **form)

    def set(self, person: Caller, **facts: Any) -> None:
        """Change a user behind the service's back."""
        with self.app.app_context():
            user = db.session.get_one(User, UUID(person.subject))
            for name, value in facts.items():
                setattr(user, name, value)
            db.session.commit()


Start = Callable[..., House]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a service of the test's own, by ``start({"auth.failures": "3"})``."""
    with ExitStack() as stack:

        def run(settings: dict[str, str] | None = None) -> House:
            return House(stack.enter_context(Mesh([service], settings=settings)))

        yield run


@pytest.fixture
def restart() -> Iterator[Callable[[House], House]]:
    """Start a service anew on the state of a former one, as another process would."""
    engines = []

    def run(house: House) -> House:
        config = house.app.extensions["glassware"].config
        with house.app.app_context():
            engines.append(db.engine)
        house.app = house.mesh.apps["auth"] = service.create_app(
            {name: config[name] for name in PLACES}, environ={}
        )
        return house

    yield run
    for engine in engines:
        engine.dispose()


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """The service that most tests share; hashing is slow on purpose, so people are shared too.

    Their tokens outlive the tests on any machine.
    """
    settings = {"auth.failures": "5", "auth.access_lifetime": "3600"}
    with Mesh([service], settings=settings) as mesh:
        yield House(mesh)


@pytest.fixture(scope="session")
def admin(house: House) -> Caller:
    return house.person(admin=True)


@pytest.fixture(scope="session")
def alice(house: House) -> Caller:
    return house.person()


@pytest.fixture(scope="session")
def bob(house: House) -> Caller:
    return house.person()
