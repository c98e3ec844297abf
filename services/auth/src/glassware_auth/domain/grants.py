"""The token endpoint's grants (RFC 6749 sections 4.3, 4.4 and 6), and who may ask for them.

That of RFC 8693, by which one acts for another, is in ``delegation``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glassware.problems import ForbiddenProblem, UnauthorizedProblem
from glassware_auth.domain import clients, delegation, families, tokens
from glassware_auth.domain.authority import Authority
from glassware_auth.domain.requests import InvalidClientProblem, TokenRequest, TokenRequestProblem
from glassware_auth.domain.sign_in import identify, open_session
from glassware_auth.domain.tokens import LOGIN, Grant, common, narrow, scopes_of
from glassware_auth.models import Client


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
    delegated = family.delegated
    if not tokens.may_sign_in(family.user) or (delegated and not (client and client.delegate)):
        families.end(family)
        raise families.refusal()
    bounds = [scopes_of(config, family.user), *([client.scopes] if client else [])]
    scopes = narrow(request.form.get("scope"), common(family.scopes, *bounds))
    grant = tokens.issue(authority, family.user, scopes, family.client_id, delegated=delegated)
    if delegated:
        return grant  # its token is no good to anybody else, and a job may begin anew with it
    return {**grant, "refresh_token": families.turn(config, family, generation)}


GRANTS: dict[str, Callable[[Authority, Any, TokenRequest], Grant]] = {
    "client_credentials": client_credentials,
    "password": password,
    "refresh_token": refresh_token,
    delegation.TOKEN_EXCHANGE: delegation.token_exchange,
}
