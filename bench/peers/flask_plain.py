"""Flask-RESTful with marshmallow as their documentation has it: a session and a dump each."""

from __future__ import annotations

from datetime import UTC
from functools import wraps
from uuid import UUID

import jwt
from contract import PEOPLE, claims_of, grant, holds
from flask import Flask, g, request, url_for
from flask_restful import Api, Resource, abort
from marshmallow import Schema, ValidationError, fields, validate
from model import Client, Session, Task
from sqlalchemy import select

app = Flask(__name__)
api = Api(app)


@app.teardown_request
def close(_error):
    if "db" in g:
        g.db.close()


def db():
    if "db" not in g:
        g.db = Session()
    return g.db


class Person(fields.Field):
    def _serialize(self, value, *_, **__):
        return f"{PEOPLE}{value}"

    def _deserialize(self, value, *_, **__):
        if value != f"{PEOPLE}{g.who}":
            raise ValidationError("There is no such person.")
        return g.who


class Instant(fields.AwareDateTime):
    def _serialize(self, value, *_, **__):
        return value and value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class TaskSchema(Schema):
    url = fields.Function(lambda task: url_for("task", id=task.id, _external=True))
    title = fields.String(required=True, validate=validate.Length(min=1, max=100))
    person = Person(attribute="person_id", required=True)
    due_to = Instant(allow_none=True, load_default=None)
    done = fields.Boolean(load_default=False)
    created_at = Instant(dump_only=True)
    updated_at = Instant(dump_only=True)


schema = TaskSchema()


def needs(method):
    @wraps(method)
    def checked(*args, **kwargs):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            claims = claims_of(token if scheme == "Bearer" else "")
        except jwt.PyJWTError:
            abort(401)
        wanted = "tasks:read" if request.method == "GET" else "tasks:write"
        if wanted not in claims["scope"].split():
            abort(403)
        g.who = UUID(claims["sub"])
        return method(*args, **kwargs)

    return checked


def read():
    try:
        return schema.load(request.get_json())
    except ValidationError as error:
        abort(422, errors=error.messages)


class TaskItem(Resource):
    method_decorators = [needs]

    def find(self, id):
        task = db().scalar(select(Task).where(Task.id == id, Task.person_id == g.who))
        return task or abort(404)

    def get(self, id):
        return schema.dump(self.find(id))

    def put(self, id):
        task = self.find(id)
        for name, value in read().items():
            setattr(task, name, value)
        db().commit()
        return schema.dump(task)


class TaskList(Resource):
    method_decorators = [needs]

    def get(self):
        limit = request.args.get("limit", 50, int)
        statement = select(Task).where(Task.person_id == g.who).order_by(Task.id).limit(limit + 1)
        if "cursor" in request.args:
            statement = statement.where(Task.id > request.args.get("cursor", type=UUID))
        rows = db().scalars(statement).all()
        following = None
        if len(rows) > limit:
            last = rows[limit - 1].id
            following = url_for("tasks", limit=limit, cursor=last, _external=True)
        return {"items": schema.dump(rows[:limit], many=True), "next": following}

    def post(self):
        task = Task(**read())
        db().add(task)
        db().commit()
        made = schema.dump(task)
        return made, 201, {"Location": made["url"]}


class Token(Resource):
    def post(self):
        given = request.authorization
        client = db().get(Client, given.username)
        if client is None or not holds(given.password, client.secret):
            abort(401)
        return grant(given.username, client.scope)


class Live(Resource):
    def get(self):
        return {"status": "ok"}


api.add_resource(TaskList, "/tasks", endpoint="tasks")
api.add_resource(TaskItem, "/tasks/<uuid:id>", endpoint="task")
api.add_resource(Token, "/oauth/token")
api.add_resource(Live, "/health/live")
