"""A service whose orders can be held up at any point; as a program, a server to be killed."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from marshmallow import fields
from marshmallow.validate import Length
from sqlalchemy import String, event, select
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.serving import make_server

from glassware.api import Collection, Item, Link, Schema, runtime
from glassware.auth import Policy
from glassware.db import Database, Row
from glassware.service import Service

db = Database()
ANYBODY = Policy("anybody", lambda _who, _item: True)


class OrderRow(Row, db.Model):
    __tablename__ = "orders"
    __allow_unmapped__ = True

    text: Mapped[str] = mapped_column(String(50), unique=True)
    password: str = ""


class OrderSchema(Schema):
    """An order; the password is told once and kept nowhere."""

    url = Link("order")
    text = fields.String(required=True, validate=Length(min=1, max=50))
    password = fields.String(dump_only=True)


class Hold:
    """``before`` is called before an order is made."""

    def __init__(self) -> None:
        self.before: Callable[[], object] = lambda: None


class OrderList(Collection):
    path = "/orders"
    schema = OrderSchema
    policy = ANYBODY

    def select(self, who: Any, **_: Any) -> Any:
        return select(OrderRow)

    def create(self, who: Any, data: dict[str, Any], **_: Any) -> OrderRow:
        runtime().parts.before()
        order = OrderRow(text=data["text"])
        order.password = secrets.token_hex()
        db.session.add(order)
        return order


class HouseOrderList(OrderList):
    path = "/houses/<int:house>/orders"


class Order(Item):
    path = "/orders/<uuid:id>"
    schema = OrderSchema
    policy = ANYBODY

    def select(self, who: Any) -> Any:
        return select(OrderRow)


service = Service(
    "shop",
    package="glassware",
    resources=(OrderList, HouseOrderList, Order),
    database=db,
    make_parts=lambda _config: Hold(),
)


def make_app(state: Path, transports: Any = None, **settings: str) -> Flask:
    given = {
        "service.mode": "development",
        "service.state_dir": str(state),
        "service.secrets_dir": str(state / "secrets"),
        **settings,
    }
    app = service.create_app(given, environ={}, transports=transports)
    with app.app_context():
        db.create_all()
    return app


def hang(mark: Path) -> None:
    mark.touch()
    time.sleep(60)


def main(state: Path, where: str) -> None:
    """Serve on a free port, written to the file ``port``; hang at ``where`` for ever."""
    app = make_app(state)
    if where != "nowhere":
        event.listen(db.session, where, lambda _session: hang(state / "hangs"))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    (state / "port.new").write_text(str(server.port))
    (state / "port.new").rename(state / "port")
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
