"""The service over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import Select, select

from glassware.api import Collection, Item, Resource, contains, exact, parse, range_, runtime
from glassware.api.runtime import link
from glassware.auth import Policy, Principal, owner, public, scope
from glassware.auth.network import network_of
from glassware.media import json
from glassware.problems import (
    ConflictProblem,
    ForbiddenProblem,
    InvalidParameterProblem,
    InvalidProblem,
    MalformedBodyProblem,
    NotFoundProblem,
    UnauthorizedProblem,
    UnsupportedMediaTypeProblem,
)
from glassware_auth import models, schemas
from glassware_auth.domain import clients, grants, users
from glassware_auth.domain.authority import Authority
from glassware_auth.domain.requests import InvalidClientProblem, TokenRequest, TokenRequestProblem
from glassware_auth.domain.sign_in import sign_in
from glassware_auth.domain.tokens import ScopeProblem, in_good_standing

#: Tokens outlive a deactivation by minutes. Here, where accounts are governed, they must not.
STANDING = Policy("good standing", lambda who, _item: in_good_standing(who))
OPEN = Policy("open registration", lambda _who, _item: authority().open_registration)
USERS_ADMIN = STANDING & scope("users:admin")
CLIENTS_ADMIN = STANDING & scope("clients:admin")
READ_USER = STANDING & (owner("id") | scope("users:read") | scope("users:admin"))
CHANGE_USER = STANDING & (owner("id") | scope("users:admin"))


def authority() -> Authority:
    """Return the parts of the service that live as long as its app."""
    parts: Authority = runtime().parts
    return parts


def network() -> str:
    return network_of(request.remote_addr)


class UserList(Collection):
    """The people who may log in."""

    path = "/users"
    schema = schemas.RegistrationSchema
    policy = {"GET": USERS_ADMIN, "POST": OPEN | USERS_ADMIN}
    limit = {"POST": "20/minute"}
    filters = {"email": exact, "name": contains, "active": exact, "created_at": range_}
    sorts = ("email", "name", "created_at")

    def select(self, who: Principal) -> Select[models.User]:
        return select(models.User)

    def create(self, who: Principal, data: dict[str, Any]) -> models.User:
        """Register. A link to the address activates the account, or an administrator's word."""
        user = users.add(authority(), **data, activated=USERS_ADMIN.permits(who, None))
        if user.activated_at is None:
            config = authority().config
            token = users.invitation(config, user)
            users.invite(config, user, link("activation", token=token))
        return user


class User(Item):
    """One person. A service looks people up here, by the token of its caller or its own."""

    path = "/users/<uuid:id>"
    schema = schemas.UserSchema
    policy = {"GET": READ_USER, **dict.fromkeys(("PUT", "PATCH", "DELETE"), CHANGE_USER)}

    def select(self, who: Principal) -> Select[models.User]:
        return select(models.User)

    def change(self, who: Principal, user: models.User, data: dict[str, Any]) -> None:
        """Change the name; an administrator may deactivate and reactivate."""
        user.name = data["name"]
        active = data.get("active", user.active)
        if active != user.active and not who.may("users:admin"):
            raise ForbiddenProblem(
                "Only an administrator changes `active`.", required=str(USERS_ADMIN)
            )
        if active:
            user.active = True
        else:
            users.deactivate(user)

    def remove(self, who: Principal, user: models.User) -> None:
        """Deactivate the account; its URL goes on to name the person."""
        users.deactivate(user)


class UserPassword(Resource):
    """The password of one person, who alone changes it, by the old one."""

    path = "/users/<uuid:id>/password"
    policy = STANDING
    limit = "10/minute"
    body = schemas.PasswordSchema

    def post(self, who: Principal, data: dict[str, str], id: UUID) -> None:
        """Change the password and end all sessions."""
        user = models.db.session.get(models.User, id)
        if user is None or user.subject != who.subject:
            raise NotFoundProblem("There is no such account of yours.")
        users.change_password(
            authority(), user, data["old_password"], data["new_password"], network()
        )


class Activation(Resource):
    """The link that activates an account, good once."""

    path = "/activation"
    policy = public("the link is signed")
    problems = (ConflictProblem,)
    parameters = frozenset({"token"})
    answers = schemas.ActivationSchema

    def get(self, who: Principal) -> models.User:
        """Say whom the link activates, and do nothing: mail scanners open every link."""
        if "token" not in request.args:
            raise InvalidParameterProblem("The link is cut.", errors={"token": ["Missing."]})
        return users.invited(authority().config, request.args["token"])

    def post(self, who: Principal) -> models.User:
        """Activate the account."""
        user = self.get(who)
        users.activate(user)
        return user


class Login(Resource):
    """People sign in."""

    path = "/login"
    policy = public("credentials are in the body")
    limit = "30/minute"
    body = schemas.LoginSchema
    answers = schemas.GrantSchema
    problems = (UnauthorizedProblem, ForbiddenProblem, ScopeProblem)

    def post(self, who: Principal, data: dict[str, str]) -> Any:
        """Return an access token, and a refresh token to renew it with at the token endpoint."""
        return sign_in(authority(), network=network(), **data)


class Token(Resource):
    """The token endpoint of OAuth 2 (RFC 6749 section 3.2), in its own formats."""

    path = "/oauth/token"
    policy = public("credentials are in the request")
    limit = "300/minute"
    body = schemas.TokenRequestSchema
    reads = (parse.FORM,)
    answers = schemas.GrantSchema
    problems = (TokenRequestProblem, InvalidClientProblem)

    def call(self, *args: Any) -> Any:
        try:
            return super().call(*args)
        except (MalformedBodyProblem, UnsupportedMediaTypeProblem, InvalidProblem) as refused:
            raise TokenRequestProblem("invalid_request", str(refused)) from None

    def post(self, who: Principal, data: dict[str, str]) -> Response:
        """Grant a token by client_credentials, refresh_token, password or token exchange."""
        form = {name: value for name, value in data.items() if value}
        asked = TokenRequest(form, basic(), network(), runtime().verifier.check)
        return document(grants.exchange(authority(), asked), "no-store")


class Jwks(Resource):
    """The public keys that check our tokens (RFC 7517)."""

    path = "/.well-known/jwks.json"
    policy = public("public keys")

    def get(self, who: Principal) -> Response:
        return document(authority().keys.document(), CACHED)


class Metadata(Resource):
    """What an OAuth client needs to know of us (RFC 8414)."""

    path = "/.well-known/oauth-authorization-server"
    policy = public("metadata")

    def get(self, who: Principal) -> Response:
        config = authority().config
        issuer = config["auth.issuer"].rstrip("/")
        kinds = set(grants.GRANTS) - (set() if authority().password_grant else {"password"})
        about = {
            "issuer": config["auth.issuer"],
            "token_endpoint": issuer + Token.path,
            "jwks_uri": issuer + Jwks.path,
            "response_types_supported": [],
            "grant_types_supported": sorted(kinds),
            "scopes_supported": [*config["auth.user_scopes"], *config["auth.admin_scopes"]],
            "token_endpoint_auth_methods_supported": CLIENT_METHODS,
        }
        return document(about, CACHED)


class ClientList(Collection):
    """The service accounts."""

    path = "/clients"
    schema = schemas.ClientSchema
    policy = CLIENTS_ADMIN
    filters = {"client_id": contains, "active": exact}
    sorts = ("client_id", "created_at")

    def select(self, who: Principal) -> Select[models.Client]:
        return select(models.Client)

    def create(self, who: Principal, data: dict[str, Any]) -> models.Client:
        """Create a service account; the answer tells its secret, this once."""
        clients.require_reach(who, data["scopes"])
        return clients.add(authority().config, **data)


class Client(Item):
    """One service account."""

    path = "/clients/<uuid:id>"
    schema = schemas.ClientChangeSchema
    policy = CLIENTS_ADMIN

    def select(self, who: Principal) -> Select[models.Client]:
        return select(models.Client)

    def change(self, who: Principal, client: models.Client, data: dict[str, Any]) -> None:
        clients.require_reach(who, {*data["scopes"], *client.scopes})
        for name, value in data.items():
            setattr(client, name, value)

    def remove(self, who: Principal, client: models.Client) -> None:
        """Deactivate the account; its name is not given to another."""
        client.active = False


class ClientSecret(Resource):
    """The secret of one service account."""

    path = "/clients/<uuid:id>/secret"
    policy = CLIENTS_ADMIN
    answers = schemas.SecretSchema

    def post(self, who: Principal, id: UUID) -> models.Client:
        """Make a new secret; the one before it holds until the next is made."""
        client = models.db.session.get(models.Client, id)
        if client is None:
            raise NotFoundProblem(f"There is no client {id}.")
        clients.require_reach(who, client.scopes)
        clients.give_secret(authority().config, client)
        return client


#: Other services look again when they meet a key they do not know, so an old copy does no harm.
CACHED = "public, max-age=300"
CLIENT_METHODS = ["client_secret_basic", "client_secret_post", "none"]


def document(value: Any, cache: str) -> Response:
    """Return JSON, whatever the request accepts: these formats are JSON by their RFCs."""
    return Response(
        json.dumps(value), mimetype="application/json", headers={"Cache-Control": cache}
    )


def basic() -> tuple[str, str] | None:
    """Return the client's name and secret by HTTP Basic (RFC 6749 section 2.3.1)."""
    given = request.authorization
    if given is None or given.type != "basic":
        return None
    return given.username or "", given.password or ""


PEOPLE = (UserList, User, UserPassword, Activation, Login)
PROGRAMS = (Token, Jwks, Metadata, ClientList, Client, ClientSecret)
RESOURCES = (*PEOPLE, *PROGRAMS)
