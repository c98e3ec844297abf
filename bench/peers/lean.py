"""The same work with nothing between: prepared statements, a dictionary per row, one encoder.

For the floor and for the framework tuned by hand. ``store()`` is for one thread.
"""

from __future__ import annotations

import sqlite3
from base64 import b64decode
from datetime import UTC, datetime
from time import time
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import jwt
import msgspec
from contract import DATABASE, PEOPLE, PRAGMAS, claims_of, grant, holds

encode = msgspec.json.encode
COLUMNS = "id, title, person_id, due_to, done, created_at, updated_at"
ONE = f"SELECT {COLUMNS} FROM tasks WHERE id = ? AND person_id = ?"
PAGE = f"SELECT {COLUMNS} FROM tasks WHERE person_id = ? AND id > ? ORDER BY id LIMIT ?"
ADD = f"INSERT INTO tasks ({COLUMNS}, version) VALUES (?, ?, ?, ?, ?, ?, ?, 1)"
CHANGE = (
    "UPDATE tasks SET title = ?, due_to = ?, done = ?, updated_at = ?, version = version + 1"
    f" WHERE id = ? AND person_id = ? RETURNING {COLUMNS}"
)
CLIENT = "SELECT secret, scope FROM bench_clients WHERE client_id = ?"


class Refused(Exception):
    """An answer that is not a success."""


class TaskIn(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    person: str
    due_to: datetime | None = None
    done: bool = False


class Caller(NamedTuple):
    id: str
    scopes: frozenset[str]
    ends: float


decode = msgspec.json.Decoder(TaskIn).decode
FIRST = ""
known: dict[str, Caller] = {}


def caller(authorization: str | None, scope: str) -> Caller:
    found = known.get(authorization or "")
    if found is None or found.ends < time():
        found = known[authorization or ""] = check(authorization or "")
    if scope not in found.scopes:
        raise Refused(403)
    return found


def check(authorization: str) -> Caller:
    scheme, _, token = authorization.partition(" ")
    try:
        claims = claims_of(token if scheme == "Bearer" else "")
    except jwt.PyJWTError:
        raise Refused(401) from None
    return Caller(UUID(claims["sub"]).hex, frozenset(claims["scope"].split()), claims["exp"])


def moment(value: str | None) -> str | None:
    return value and f"{value[:10]}T{value[11:].removesuffix('.000000')}Z"


def stored(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def dashed(text: str) -> str:
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def connect() -> Any:
    """Return a connection that commits each statement."""
    db = sqlite3.connect(DATABASE.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in PRAGMAS:
        db.execute(f"PRAGMA {pragma}")
    return db


if DATABASE.startswith("postgresql"):
    import psycopg

    ONE, PAGE, ADD, CHANGE, CLIENT = (
        each.replace("?", "%s") for each in (ONE, PAGE, ADD, CHANGE, CLIENT)
    )
    FIRST = UUID(int=0).hex

    def connect() -> Any:
        return psycopg.connect(DATABASE.replace("+psycopg", ""), autocommit=True)

    def moment(value: datetime | None) -> str | None:
        return value and value.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def stored(value: datetime) -> datetime:
        return value

    def dashed(value: UUID | str) -> str:
        return str(value) if isinstance(value, UUID) else str(UUID(value))


def shown(row: tuple[Any, ...], base: str) -> dict[str, Any]:
    id, title, person, due_to, done, created_at, updated_at = row
    return {
        "url": f"{base}/tasks/{dashed(id)}",
        "title": title,
        "person": PEOPLE + dashed(person),
        "due_to": moment(due_to),
        "done": done == 1,
        "created_at": moment(created_at),
        "updated_at": moment(updated_at),
    }


def read(body: bytes, who: Caller) -> TaskIn:
    try:
        data = decode(body)
    except msgspec.MsgspecError:
        raise Refused(422) from None
    wrong = data.due_to is not None and data.due_to.tzinfo is None
    if wrong or not 1 <= len(data.title) <= 100 or data.person != PEOPLE + dashed(who.id):
        raise Refused(422)
    return data


class Store:
    """Every request's work, from its parts to the bytes of its answer."""

    def __init__(self) -> None:
        self.db = connect()

    def one(self, authorization: str | None, id: str, base: str) -> bytes:
        who = caller(authorization, "tasks:read")
        row = self.db.execute(ONE, (id.replace("-", ""), who.id)).fetchone()
        if row is None:
            raise Refused(404)
        return encode(shown(row, base))

    def page(self, authorization: str | None, limit: int, cursor: str, base: str) -> bytes:
        who = caller(authorization, "tasks:read")
        rows = self.db.execute(PAGE, (who.id, cursor or FIRST, limit + 1)).fetchall()
        following = None
        if len(rows) > limit:
            following = f"{base}/tasks?limit={limit}&cursor={rows[limit - 1][0]}"
        return encode({"items": [shown(row, base) for row in rows[:limit]], "next": following})

    def add(self, authorization: str | None, body: bytes, base: str) -> tuple[bytes, str]:
        who = caller(authorization, "tasks:write")
        data, now = read(body, who), stored(datetime.now(UTC))
        due_to = data.due_to and stored(data.due_to)
        row = (uuid4().hex, data.title, who.id, due_to, data.done, now, now)
        self.db.execute(ADD, row)
        document = shown(row, base)
        return encode(document), document["url"]

    def change(self, authorization: str | None, id: str, body: bytes, base: str) -> bytes:
        who = caller(authorization, "tasks:write")
        data, now = read(body, who), stored(datetime.now(UTC))
        due_to = data.due_to and stored(data.due_to)
        values = (data.title, due_to, data.done, now, id.replace("-", ""), who.id)
        row = self.db.execute(CHANGE, values).fetchone()
        if row is None:
            raise Refused(404)
        return encode(shown(row, base))

    def token(self, authorization: str | None) -> bytes:
        name, _, secret = b64decode((authorization or "")[6:]).decode().partition(":")
        found = self.db.execute(CLIENT, (name,)).fetchone()
        if found is None or not holds(secret, found[0]):
            raise Refused(401)
        return encode(grant(name, found[1]))
