"""Litestar with msgspec: structs in and out, dependencies, a session for each request."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime
from typing import Annotated
from uuid import UUID

import jwt
import msgspec
from contract import PEOPLE, claims_of, grant, holds
from litestar import Litestar, Request, Response, get, post, put
from litestar.di import Provide
from litestar.exceptions import (
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
    ValidationException,
)
from model import Client, Session, Task
from msgspec import Meta, Struct
from sqlalchemy import select
from sqlalchemy.orm import Session as Connected


class TaskIn(Struct, forbid_unknown_fields=True):
    title: Annotated[str, Meta(min_length=1, max_length=100)]
    person: str
    due_to: Annotated[datetime, Meta(tz=True)] | None = None
    done: bool = False


class TaskOut(Struct):
    url: str
    title: str
    person: str
    due_to: datetime | None
    done: bool
    created_at: datetime
    updated_at: datetime


class Page(Struct):
    items: list[TaskOut]
    next: str | None


def session():
    with Session() as opened:
        yield opened


def caller(request: Request) -> UUID:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    try:
        claims = claims_of(given if scheme == "Bearer" else "")
    except jwt.PyJWTError:
        raise NotAuthorizedException(headers={"WWW-Authenticate": "Bearer"}) from None
    wanted = "tasks:read" if request.method == "GET" else "tasks:write"
    if wanted not in claims["scope"].split():
        raise PermissionDeniedException
    return UUID(claims["sub"])


def shown(request: Request, task: Task) -> TaskOut:
    return TaskOut(
        url=str(request.base_url).rstrip("/") + request.app.route_reverse("task", id=task.id),
        title=task.title,
        person=f"{PEOPLE}{task.person_id}",
        due_to=task.due_to,
        done=task.done,
        created_at=task.created_at,
        updated_at=task.updated_at,
    )


def found(db: Connected, who: UUID, id: UUID) -> Task:
    task = db.scalar(select(Task).where(Task.id == id, Task.person_id == who))
    if task is None:
        raise NotFoundException
    return task


def columns(who: UUID, data: TaskIn) -> dict:
    if data.person != f"{PEOPLE}{who}":
        raise ValidationException("There is no such person.")
    values = msgspec.structs.asdict(data)
    return {**{name: values[name] for name in ("title", "due_to", "done")}, "person_id": who}


@get("/tasks/{id:uuid}", name="task", sync_to_thread=True)
def read_task(request: Request, id: UUID, db: Connected, who: UUID) -> TaskOut:
    return shown(request, found(db, who, id))


@get("/tasks", sync_to_thread=True)
def read_tasks(
    request: Request, db: Connected, who: UUID, limit: int = 50, cursor: UUID | None = None
) -> Page:
    statement = select(Task).where(Task.person_id == who).order_by(Task.id).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Task.id > cursor)
    rows = db.scalars(statement).all()
    following = None
    if len(rows) > limit:
        following = str(
            request.url.with_replacements(query=f"limit={limit}&cursor={rows[limit - 1].id}")
        )
    return Page([shown(request, row) for row in rows[:limit]], following)


@post("/tasks", sync_to_thread=True)
def create_task(request: Request, data: TaskIn, db: Connected, who: UUID) -> Response[TaskOut]:
    task = Task(**columns(who, data))
    db.add(task)
    db.commit()
    made = shown(request, task)
    return Response(made, headers={"Location": made.url})


@put("/tasks/{id:uuid}", sync_to_thread=True)
def replace_task(request: Request, id: UUID, data: TaskIn, db: Connected, who: UUID) -> TaskOut:
    task = found(db, who, id)
    for name, value in columns(who, data).items():
        setattr(task, name, value)
    db.commit()
    return shown(request, task)


@post("/oauth/token", status_code=200, sync_to_thread=True)
def token(request: Request, db: Connected) -> dict:
    _, _, basic = request.headers.get("Authorization", "").partition(" ")
    name, _, secret = b64decode(basic).decode().partition(":")
    client = db.get(Client, name)
    if client is None or not holds(secret, client.secret):
        raise NotAuthorizedException("invalid_client")
    return grant(name, client.scope)


@get("/health/live", sync_to_thread=False)
def live() -> dict:
    return {"status": "ok"}


app = Litestar(
    [read_task, read_tasks, create_task, replace_task, token, live],
    dependencies={
        "db": Provide(session, sync_to_thread=True),
        "who": Provide(caller, sync_to_thread=False),
    },
    openapi_config=None,
)
