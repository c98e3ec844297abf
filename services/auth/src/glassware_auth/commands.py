"""What operators do from the command line."""

from __future__ import annotations

from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from sqlalchemy import select

from glassware.api import parse, runtime
from glassware.cli import Commands
from glassware.db import now
from glassware.media.json import dumps
from glassware.problems import BadRequestProblem
from glassware_auth.domain import clients as service_accounts
from glassware_auth.domain import users as people
from glassware_auth.domain.keys import chain
from glassware_auth.models import Client, SigningKey, User, db
from glassware_auth.schemas import ClientSchema, RegistrationSchema

users = Commands("users", "The people who may sign in.")
clients = Commands("clients", "The service accounts.")
keys = Commands("keys", "The keys that sign tokens.")


def told(facts: dict[str, Any], as_json: bool = False) -> str:
    """Return the facts for a person, or for a program."""
    if as_json:
        return dumps(facts).decode()
    return "\n".join(f"{name}: {value}" for name, value in facts.items())


def chosen_password(path: str | None) -> str:
    """Return the first line of the file, or a generated password where there is no file."""
    if path is None:
        return token_urlsafe(16)
    try:
        return Path(path).read_text("utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequestProblem(f"The password cannot be read from {path}: {error}") from None


def new_user(email: str, password: str, admin: bool) -> User:
    given = {"email": email, "name": email.partition("@")[0], "password": password}
    about = parse.load(RegistrationSchema(), given)
    user = people.add(runtime().parts, **about, activated=True, admin=admin)
    db.session.commit()
    return user


def credentials(user: User, password: str, path: str | None) -> str:
    """Return what to print: the password only where it is nowhere else."""
    return told({"email": user.email} if path else {"email": user.email, "password": password})


@users.command
def create(email: str, admin: bool = False, password_file: str | None = None) -> str:
    """Create a user, activated, and print the password if it was generated, this once."""
    password = chosen_password(password_file)
    return credentials(new_user(email, password, admin), password, password_file)


@users.command
def create_first_admin(email: str = "admin@localhost", json: bool = False) -> str:
    """Create an administrator where there is none, and print the generated password, this once."""
    if people.has_admin():
        return told({"created": False}, True) if json else "There already is an administrator."
    password = token_urlsafe(16)
    user = new_user(email, password, admin=True)
    return told({"created": True, "email": user.email, "password": password}, json)


@users.command("list")
def list_users() -> str:
    """List the users: email, id, and what is special about them."""
    return "\n".join(
        " ".join([user.email, str(user.id), *marks(user)])
        for user in db.session.scalars(select(User).order_by(User.email))
    )


def marks(user: User) -> list[str]:
    inactive = {"deactivated": not user.active, "not-activated": user.activated_at is None}
    return [mark for mark, holds in {"admin": user.admin, **inactive}.items() if holds]


@users.command
def deactivate(email: str) -> str:
    """Let a user sign in no more, and end their sessions."""
    user = people.with_email(email)
    people.deactivate(user)
    db.session.commit()
    return f"{user.email} is deactivated."


@users.command
def passwd(email: str, password_file: str | None = None) -> str:
    """Give a user a new password and end their sessions; print it if it was generated."""
    user = people.with_email(email)
    password = chosen_password(password_file)
    parse.load(RegistrationSchema(only=["password"]), {"password": password})
    people.set_password(runtime().parts, user, password)
    db.session.commit()
    return credentials(user, password, password_file)


@clients.command("create")
def create_client(
    name: str,
    scopes: str = "",
    first_party: bool = False,
    delegate: bool = False,
    json: bool = False,
) -> str:
    """Create a service account and print its secret, this once; a delegate may act for people."""
    names = scopes.replace(",", " ").split()
    given = {
        "client_id": name,
        "scopes": names,
        "first_party": first_party,
        "delegate": delegate,
    }
    client = service_accounts.add(runtime().config, **parse.load(ClientSchema(), given))
    return told_secret(client, json)


@clients.command("list")
def list_clients() -> str:
    """List the service accounts with their scopes."""
    return "\n".join(
        " ".join([client.client_id, *client.scopes, *([] if client.active else ["(deactivated)"])])
        for client in db.session.scalars(select(Client).order_by(Client.client_id))
    )


@clients.command
def rotate_secret(name: str, now: bool = False, json: bool = False) -> str:
    """Print a new secret; the last one holds until the next rotation, or with --now no longer."""
    client = service_accounts.named(name)
    service_accounts.give_secret(runtime().config, client, at_once=now)
    return told_secret(client, json)


def told_secret(client: Client, json: bool) -> str:
    db.session.commit()
    return told({"client_id": client.client_id, "client_secret": client.client_secret}, json)


@keys.command("list")
def list_keys() -> str:
    """List the keys with their states and the times that these follow from."""
    runtime().parts.keys.keys()
    return "\n".join(map(described, chain(db.session())))


@keys.command
def rotate(now: bool = False) -> str:
    """Publish the next key, which signs after auth.key_overlap, or with --now at once."""
    return described(runtime().parts.keys.rotate(at_once=now))


@keys.command
def retire(kid: str, compromised: bool = False) -> str:
    """Stop signing with a key; with --compromised the tokens it signed hold no longer."""
    return described(runtime().parts.keys.retire(kid, compromised))


def described(key: SigningKey) -> str:
    times = {"from": key.activates_at, "until": key.retires_at, "published until": key.drops_at}
    known = [f"{word} {moment:%Y-%m-%dT%H:%M:%SZ}" for word, moment in times.items() if moment]
    return f"{key.kid} {key.algorithm} {key.state(now())}, {', '.join(known)}"
