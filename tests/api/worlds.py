"""A running service from outside, byte by byte, and from inside: its rows and its log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import UUID, uuid4

import httpx2
from flask import Flask
from sqlalchemy import select, text
from werkzeug.wrappers import Response

from glassware.client.transports import WSGITransport
from glassware.observe.logging import JsonFormatter
from glassware.observe.scrub import Scrubber
from glassware.testing import Issuer

from .notes import NoteRow, db, service

SCOPES = "notes:read notes:write"


class Lines(logging.Handler):
    """Keeps each line as it would go out, and what it is made of, before it is scrubbed."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.unscrubbed: list[str] = []
        self.setFormatter(JsonFormatter("notes", Scrubber()))

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("http"):  # the client's own lines are not the service's
            self.lines.append(self.format(record))
            self.unscrubbed.append(f"{vars(record)} {record.exc_text}")

    def take(self) -> str:
        """Return the lines since the last time."""
        taken = "\n".join(self.lines)
        self.lines, self.unscrubbed = [], []
        return taken


class Wire:
    """An app from outside, byte by byte, and its database from inside."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def rows(self) -> dict[str, list[Any]]:
        """Return all that is in the database; the chassis's own tables while there is anything."""
        database = self.app.extensions.get("sqlalchemy")
        if database is None:
            return {}
        with self.app.app_context():
            found = {
                table.name: sorted(map(repr, database.session.execute(select(table))))
                for table in database.metadata.sorted_tables
            }
            own = {database.answers.name, database.nonces.name}
            return {name: rows for name, rows in found.items() if rows or name not in own}

    def raw(
        self,
        method: str,
        target: bytes,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        chunked: bool = False,
    ) -> Any:
        """Send a request as no HTTP library would."""
        path, _, query = target.partition(b"?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "7009",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1:7009",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if chunked:
            environ["wsgi.input_terminated"] = True
        elif body:
            environ["CONTENT_LENGTH"] = str(len(body))
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        return Response.from_app(self.app, environ, buffered=True)


class World(Wire):
    """The notes service with an issuer, two people, and ways to look inside."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.issuer = Issuer()
        self.me, self.other = str(uuid4()), str(uuid4())
        app = service.create_app(
            {
                "service.mode": "production",
                "limits.storage": "",
                "service.state_dir": str(directory),
                "service.secrets_dir": str(directory / "secrets"),
                **settings,
            },
            environ={},
            transports={"auth": self.issuer.transport},
        )
        super().__init__(app)
        with self.app.app_context():
            db.create_all()
        self.client = httpx2.Client(
            base_url="http://127.0.0.1:7009", transport=WSGITransport(self.app)
        )
        self.token = self.issuer.token(self.me, SCOPES, exp=2**33)

    def headers(self, scopes: str = SCOPES, subject: str = "", **more: str) -> dict[str, str]:
        """Return the headers of a caller, by default of me with all that I may."""
        if scopes == SCOPES and not subject:
            return {"Authorization": f"Bearer {self.token}", **more}
        return {**self.issuer.headers(subject or self.me, scopes), **more}

    def add(self, **note: Any) -> httpx2.Response:
        """Post a note of mine."""
        response = self.client.post("/notes", headers=self.headers(), json={"text": "a", **note})
        assert response.status_code == 201, response.text
        return response

    def get(self, url: str, **headers: str) -> httpx2.Response:
        return self.client.get(url, headers=self.headers(**headers))

    def insert(self, *rows: dict[str, Any]) -> list[str]:
        """Put rows of mine into the database; return their ids, in the order of the rows."""
        with self.app.app_context():
            made = [NoteRow(owner_id=UUID(self.me), tags=[], extra={}, **row) for row in rows]
            for each in made:  # one by one, for the ids to be in this order
                db.session.add(each)
                db.session.flush()
            db.session.commit()
            return [str(each.id) for each in made]

    def delete(self, identifier: str) -> None:
        with self.app.app_context():
            db.session.delete(db.session.get_one(NoteRow, UUID(identifier)))
            db.session.commit()

    def clear(self) -> None:
        with self.app.app_context():
            db.session.execute(text("DELETE FROM notes"))
            db.session.commit()

    def close(self) -> None:
        with self.app.app_context():
            db.engine.dispose()
