"""FastAPI with SQLAlchemy as its documentation has it: models, dependencies, a session each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import jwt
from contract import PEOPLE, claims_of, grant, holds
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.security import (
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
)
from model import Client, Session, Task
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session as Connected

app = FastAPI()
bearer = HTTPBearer(auto_error=False)


class TaskIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=100)
    person: str
    due_to: AwareDatetime | None = None
    done: bool = False


class TaskOut(BaseModel):
    url: str
    title: str
    person: str
    due_to: datetime | None
    done: bool
    created_at: datetime
    updated_at: datetime


class Page(BaseModel):
    items: list[TaskOut]
    next: str | None


def session():
    with Session() as opened:
        yield opened


def caller(scope: str):
    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> UUID:
        try:
            claims = claims_of(given.credentials if given else "")
        except jwt.PyJWTError:
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from None
        if scope not in claims["scope"].split():
            raise HTTPException(403)
        return UUID(claims["sub"])

    return check


Db = Annotated[Connected, Depends(session)]
Reader = Annotated[UUID, Depends(caller("tasks:read"))]
Writer = Annotated[UUID, Depends(caller("tasks:write"))]


def shown(request: Request, task: Task) -> TaskOut:
    return TaskOut(
        url=str(request.url_for("read_task", id=task.id)),
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
        raise HTTPException(404)
    return task


def columns(who: UUID, data: TaskIn) -> dict:
    if data.person != f"{PEOPLE}{who}":
        raise HTTPException(422, "There is no such person.")
    return {**data.model_dump(exclude={"person"}), "person_id": who}


@app.get("/tasks/{id}")
def read_task(request: Request, id: UUID, db: Db, who: Reader) -> TaskOut:
    return shown(request, found(db, who, id))


@app.get("/tasks")
def read_tasks(
    request: Request, db: Db, who: Reader, limit: int = 50, cursor: UUID | None = None
) -> Page:
    statement = select(Task).where(Task.person_id == who).order_by(Task.id).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Task.id > cursor)
    rows = db.scalars(statement).all()
    following = None
    if len(rows) > limit:
        following = str(request.url.include_query_params(cursor=rows[limit - 1].id))
    return Page(items=[shown(request, row) for row in rows[:limit]], next=following)


@app.post("/tasks", status_code=201)
def create_task(request: Request, response: Response, data: TaskIn, db: Db, who: Writer) -> TaskOut:
    task = Task(**columns(who, data))
    db.add(task)
    db.commit()
    response.headers["Location"] = str(request.url_for("read_task", id=task.id))
    return shown(request, task)


@app.put("/tasks/{id}")
def replace_task(request: Request, id: UUID, data: TaskIn, db: Db, who: Writer) -> TaskOut:
    task = found(db, who, id)
    for name, value in columns(who, data).items():
        setattr(task, name, value)
    db.commit()
    return shown(request, task)


@app.post("/oauth/token")
def token(db: Db, given: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> dict:
    client = db.get(Client, given.username)
    if client is None or not holds(given.password, client.secret):
        raise HTTPException(401, "invalid_client")
    return grant(given.username, client.scope)


@app.get("/health/live")
def live() -> dict:
    return {"status": "ok"}
