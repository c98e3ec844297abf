{% if cookiecutter.place == "suite" -%}
"""The service and the auth service in this process, and people who have logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest

from glassware.testing import Mesh
{%- if cookiecutter.slug < "auth" %}
from glassware_{{ cookiecutter.slug }}.app import service
from glassware_auth.app import service as auth
{%- else %}
from glassware_auth.app import service as auth
from glassware_{{ cookiecutter.slug }}.app import service
{%- endif %}

LogIn = Callable[[str, str], httpx2.Client]


@pytest.fixture(scope="session")
def mesh() -> Iterator[Mesh]:
    settings = {"auth.user_scopes": "{{ cookiecutter.slug }}:read, {{ cookiecutter.slug }}:write"}
    with Mesh([auth, service], settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def log_in(mesh: Mesh) -> LogIn:
    """Register somebody, and return a client that sends their token for the scope."""

    def log_in(name: str, scope: str) -> httpx2.Client:
        account = {"email": f"{name}@example.org", "password": "correct horse battery staple"}
        issuer = mesh.client("auth")
        registered = issuer.post("/users", json={**account, "name": name})
        issuer.post(registered.json()["activation"])
        token = issuer.post("/login", json={**account, "scope": scope}).json()["access_token"]
        return mesh.client("{{ cookiecutter.slug }}", headers={"Authorization": f"Bearer {token}"})

    return log_in
{%- else -%}
"""The service in this process, and callers with tokens of an issuer of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest

from glassware.testing import Issuer, Mesh
from glassware_{{ cookiecutter.slug }}.app import service

LogIn = Callable[[str, str], httpx2.Client]


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="session")
def mesh(issuer: Issuer) -> Iterator[Mesh]:
    with Mesh([service], transports={"auth": issuer.transport}) as running:
        yield running


@pytest.fixture(scope="session")
def log_in(mesh: Mesh, issuer: Issuer) -> LogIn:
    """Return a client that sends a token of the person of that name for the scope."""

    def log_in(name: str, scope: str) -> httpx2.Client:
        return mesh.client("{{ cookiecutter.slug }}", headers=issuer.headers(name, scope))

    return log_in
{%- endif %}


@pytest.fixture(scope="session")
def ann(log_in: LogIn) -> httpx2.Client:
    return log_in("ann", "{{ cookiecutter.slug }}:read {{ cookiecutter.slug }}:write")


@pytest.fixture(scope="session")
def bob(log_in: LogIn) -> httpx2.Client:
    """Somebody else, whose token is for reading only."""
    return log_in("bob", "{{ cookiecutter.slug }}:read")
