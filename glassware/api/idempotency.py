"""``Idempotency-Key``: a request that is sent again is given its answer again, and makes nothing.

The answer is kept in the transaction that makes the item, so there is neither without the other,
whenever the process dies. Only what succeeded is kept: a failed request has made nothing, and is
tried anew. What is kept is sealed by a key that is not in the database, since answers may hold
secrets that the database has only digests of.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from flask import Response, request
from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from glassware.api.api import acceptable
from glassware.api.runtime import database, runtime
from glassware.auth import Principal
from glassware.auth.network import network_of
from glassware.db import now
from glassware.db.once import sweep
from glassware.db.seal import Seal, derived
from glassware.problems import InvalidKeyProblem, KeyReusedProblem, StillRunningProblem

#: What the header follows, as far as it goes.
DRAFT = "draft-ietf-httpapi-idempotency-key-header-07"
HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
KEY = re.compile(r"[!-~]{1,255}")


def once(who: Principal, make: Callable[[], Response]) -> Response:
    """Return the answer that ``make`` gives, or gave when the request was sent before; committed.

    A key is the caller's own, for one method and path. Raises InvalidKeyProblem, KeyReusedProblem
    for a request that differs from the first, StillRunningProblem.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return make()
    if not KEY.fullmatch(key):
        raise InvalidKeyProblem(f"{HEADER} must be 1 to 255 visible ASCII characters.")
    asked = Asked(who, key)
    with alone(asked.digest):
        return asked.replay() or asked.answer(make)


class Asked:
    """A request with a key. ``digest`` names it; ``fingerprint`` tells it from any other."""

    def __init__(self, who: Principal, key: str) -> None:
        caller = [who.subject, who.client_id, "" if who.known else network_of(request.remote_addr)]
        scope = json.dumps([*caller, request.method, request.path, key]).encode()
        content = [request.content_type, acceptable(), request.get_data().hex()]
        self.table = database().answers
        self.digest = keyed("name", scope).hex()
        self.fingerprint = keyed("fingerprint", json.dumps(content).encode()).hex()
        self.seal = Seal(keyed("seal", scope), self.digest)

    def replay(self) -> Response | None:
        """Return the answer that was given, None where none was."""
        columns = self.table.c
        named = select(columns.fingerprint, columns.sealed).where(
            columns.digest == self.digest, columns.expires_at > now()
        )
        kept = database().session.execute(named).first()
        if kept is None:
            return None
        if not hmac.compare_digest(kept.fingerprint, self.fingerprint):
            raise KeyReusedProblem(f"The {HEADER} was used for another request.")
        return self.opened(kept.sealed)

    def answer(self, make: Callable[[], Response]) -> Response:
        """Make the answer and keep it."""
        session = database().session
        try:
            response = make()
            self.keep(response)
            session.commit()
        except IntegrityError:
            # Of two processes on one SQLite file, the other was faster.
            session.rollback()
            replayed = self.replay()
            if replayed is None:
                raise
            return replayed
        return response

    def keep(self, response: Response) -> None:
        session, expired = database().session, self.table.c.expires_at <= now()
        sweep(session, self.table)
        session.execute(delete(self.table).where(self.table.c.digest == self.digest, expired))
        lifetime = timedelta(seconds=runtime().config["idempotency.keep"])
        row = {
            "digest": self.digest,
            "fingerprint": self.fingerprint,
            "sealed": self.sealed(response),
            "expires_at": now() + lifetime,
        }
        session.execute(insert(self.table).values(row))

    def sealed(self, response: Response) -> bytes:
        head = json.dumps([response.status_code, list(response.headers)]).encode()
        return self.seal.sealed(b"\n".join([head, response.get_data()]))

    def opened(self, sealed: bytes) -> Response:
        head, _, body = self.seal.opened(sealed).partition(b"\n")
        status, headers = json.loads(head)
        return Response(body, status=status, headers=[*headers, (REPLAYED, "true")])


def keyed(purpose: str, content: bytes) -> bytes:
    return derived(runtime().config["app.secret_key"], f"idempotency {purpose}", content)


@contextmanager
def alone(digest: str) -> Iterator[None]:
    """Hold the request while it is answered; raise StillRunningProblem where somebody does.

    PostgreSQL tells so among all processes, and forgets it when one dies. With SQLite a process
    knows of itself; of two that answer at once, the unique digest lets one commit.
    """
    session = database().session
    if session.get_bind().dialect.name == "postgresql":
        number = int(digest[:16], 16) - 2**63
        if not session.scalar(select(func.pg_try_advisory_xact_lock(number))):
            raise still_running()
        yield
        return
    running, mine = runtime().running, object()
    if running.setdefault(digest, mine) is not mine:
        raise still_running()
    try:
        yield
    finally:
        del running[digest]


def still_running() -> StillRunningProblem:
    return StillRunningProblem(
        f"The first request with this {HEADER} is still being answered.",
        headers={"Retry-After": "1"},
    )
