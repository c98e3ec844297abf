"""The token endpoint's grants (RFC 6749 sections 4.3, 4.4 and 6), and who may ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from glassware.problems import ForbiddenProblem, Problem, UnauthorizedProblem
from glassware_auth.domain import clients, families, tokens
from glassware_auth.domain.authority import Authority
from glassware_auth.domain.sign_in import identify, open_session
from glassware_auth.domain.tokens import LOGIN, Grant, narrow, scopes_of
from glassware_auth.models import Client


class TokenRequestProblem(Problem):
    """The token request is refused; ``error`` is a code of RFC 6749 section 5.2."""

    status, title, slug = 400, "Token request refused", "token-request"
    advice = "Correct what `error_description` says."
    media_type: ClassVar[str] = "application/json"

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description, error=error, error_description=description)


class InvalidClientProblem(TokenRequestProblem):
    """The client did not prove who it is: ``invalid_client`` of RFC 6749 section 5.2."""

    status, title, slug = 401, "Client not authenticated", "invalid-client"
    advice = "Send the client_id and its secret by HTTP Basic or in the form, not both."

    def __init__(self) -> None:
        super().__init__("invalid_client", "The client is unknown, or its secret does not hold.")
        self.headers["WWW-Authenticate"] = 'Basic realm="glassware"'


@dataclass(frozen=True)
class TokenRequest:
    """The parameters that have a value, the pair of HTTP Basic, and the caller's network."""

    form: Mapping[str, str]
    basic: tuple[str, str] | None
    network: str

    def need(self, name: str) -> str:
        """Return a parameter. Raises TokenRequestProblem where it is missing."""
        if name not in self.form:
            raise TokenRequestProblem("invalid_request", f"The parameter {name} is missing.")
        return self.form[name]


def exchange(authority: Authority, request: TokenRequest) -> Grant:
    """Return what the request is granted. Raises TokenRequestProblem."""
    grant = GRANTS.get(request.need("grant_type"))
    if grant is None or (grant is password and not authority.password_grant):
        raise TokenRequestProblem("unsupported_grant_type", "There is no such grant here.")
    client = authenticate(authority, request)
    if client is None and grant is not refresh_token:
        raise InvalidClientProblem()
    try:
        return grant(authority, client, request)
    except tokens.ScopeProblem as refused:
        raise TokenRequestProblem("invalid_scope", str(refused)) from None
    except (UnauthorizedProblem, ForbiddenProblem) as refused:
        raise TokenRequestProblem("invalid_grant", str(refused)) from None


def authenticate(authority: Authority, request: TokenRequest) -> Client | None:
    """Return the client that asks, None for people's own programs, which have no secret."""
    name, secret = request.form.get("client_id"), request.form.get("client_secret")
    if request.basic is not None:
        if secret is not None or name not in (None, request.basic[0]):
            raise TokenRequestProblem("invalid_request", "The client authenticates in two ways.")
        name, secret = request.basic
    if secret is None and name in (None, LOGIN):
        return None
    client = clients.authenticate(authority.config, name or "", secret or "")
    if client is None:
        raise InvalidClientProblem()
    return client


def client_credentials(authority: Authority, client: Client, request: TokenRequest) -> Grant:
    """A service account acts for itself."""
    scopes = narrow(request.form.get("scope"), scopes_of(authority.config, client))
    return tokens.issue(authority, client, scopes, client.client_id)


def password(authority: Authority, client: Client, request: TokenRequest) -> Grant:
    """A program of our own asks for a person's password, and acts for them within its scopes."""
    if not client.first_party:
        raise TokenRequestProblem("unauthorized_client", "This grant is for first-party clients.")
    email, secret = request.need("username").lower(), request.need("password")
    user = identify(authority, email, secret, request.network)
    allowed = common(scopes_of(authority.config, user), client.scopes)
    scopes = narrow(request.form.get("scope"), allowed)
    return open_session(authority, user, scopes, client.client_id)


def refresh_token(authority: Authority, client: Client | None, request: TokenRequest) -> Grant:
    """A session goes on: within what it began with, and what its people may have today."""
    config = authority.config
    identifier, generation = families.read(config, request.need("refresh_token"))
    family = families.find(identifier)
    if family.client_id != (client.client_id if client else LOGIN):
        raise families.refusal()
    if not tokens.may_sign_in(family.user):
        families.end(family)
        raise families.refusal()
    bounds = [scopes_of(config, family.user), *([client.scopes] if client else [])]
    scopes = narrow(request.form.get("scope"), common(family.scopes, *bounds))
    grant = tokens.issue(authority, family.user, scopes, family.client_id)
    return {**grant, "refresh_token": families.turn(config, family, generation)}


def common(scopes: Sequence[str], *bounds: Sequence[str]) -> list[str]:
    return [scope for scope in scopes if all(scope in bound for bound in bounds)]


GRANTS: dict[str, Callable[[Authority, Any, TokenRequest], Grant]] = {
    "client_credentials": client_credentials,
    "password": password,
    "refresh_token": refresh_token,
}
