"""The neighbours: do they answer, are their clocks and ours the same, whose keys do we trust."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import text

from glassware.auth.jwks import read_keys
from glassware.cli.doctor.case import PATIENCE, Case, Visit
from glassware.media import json
from glassware.problems import Problem

BROKER_PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}


def symptom_a_neighbour_does_not_answer(case: Case) -> Iterator[str]:
    """A neighbour cannot be reached.

    What needs it is answered by a 503 that names it. Start it, or correct its URL in the section
    [siblings].
    """
    for name, visit in case.neighbours.items():
        if visit.trouble:
            yield f"{name}, {visit.url}: {visit.trouble}"


def symptom_a_neighbour_is_not_ready(case: Case) -> Iterator[str]:
    """A neighbour answers that it cannot do its work, or is another one than expected.

    Have its own doctor look at it. A 421 means that it does not know the name by which it is called
    here: add that to its server.trusted_hosts.
    """
    for name, visit in case.neighbours.items():
        if visit.answer is not None and visit.answer.status_code != 200:
            checks = document(visit).get("checks") or {}
            failing = [f"{check}: {status}" for check, status in checks.items() if status != "ok"]
            yield f"{name}, {visit.url}: {'; '.join([str(visit.answer.status_code), *failing])}"


def symptom_the_broker_cannot_be_reached(case: Case) -> Iterator[str]:
    """The broker that carries jobs to the workers does not take a connection.

    Jobs are done all the same, but begin up to jobs.poll seconds later. Start it, or correct
    jobs.broker.
    """
    url = urlsplit(case.config["jobs.broker"]) if case.service.jobs else urlsplit("")
    if not url.scheme:
        return
    try:
        dialled(url).close()
    except OSError as error:
        yield f"{url.hostname or url.path}: {error}"


def symptom_the_issuers_keys_cannot_be_had(case: Case) -> Iterator[str]:
    """There are no keys to check tokens with.

    Every request with a token is answered by a 503. Check auth.issuer and auth.jwks_url, that the
    auth service runs, and that its algorithm is in auth.algorithms.
    """
    if not case.verifies:
        return
    visit, algorithms = case.keys, case.config["auth.algorithms"]
    if visit.answer is None or visit.answer.status_code != 200:
        yield f"{visit.url}: {visit.trouble or getattr(visit.answer, 'status_code', '')}"
    elif not usable_keys(visit, algorithms):
        yield f"{visit.url}: no key for {', '.join(algorithms)}"


def symptom_the_issuer_calls_itself_otherwise(case: Case) -> Iterator[str]:
    """The issuer's own name for itself is not the one that tokens are checked against.

    Every token is refused with a 401. Set auth.issuer to the same URL in every service, to the last
    slash.
    """
    if case.verifies and case.metadata.answer is not None:
        told = document(case.metadata).get("issuer")
        if told is not None and told != case.config["auth.issuer"]:
            yield f"it calls itself {told}, and auth.issuer is {case.config['auth.issuer']}"


def symptom_the_clock_is_wrong(case: Case) -> Iterator[str]:
    """The clock of this machine and another one differ, by more than half of auth.leeway.

    Soon tokens are refused as expired, or as not valid yet. Have both clocks set by NTP.
    """
    most = case.config["auth.leeway"] / 2
    visits = {"auth": case.keys} if case.verifies else {}
    for name, visit in {**visits, **case.neighbours}.items():
        ahead = clock_ahead(visit)
        if abs(ahead) > most:
            yield f"{name} is {seconds(ahead)} this machine"
    if case.postgresql and case.connection:
        moment = case.connection.scalar(text("SELECT clock_timestamp()"))
        ahead = (moment - datetime.now(UTC)).total_seconds() if moment else 0.0
        if abs(ahead) > most:
            yield f"the database is {seconds(ahead)} this machine"


def document(visit: Visit) -> Mapping[str, Any]:
    """Return the JSON object of the answer, an empty one where it is something else."""
    with suppress(Problem):
        value = json.loads(visit.answer.content if visit.answer else b"{}")
        return value if isinstance(value, dict) else {}
    return {}


def dialled(url: SplitResult) -> socket.socket:
    """Return a connection to the server of a URL. Raises OSError."""
    if url.scheme == "redis+unix":
        wire = socket.socket(socket.AF_UNIX)
        wire.connect(url.path)
        return wire
    port = url.port or BROKER_PORTS[url.scheme]
    return socket.create_connection((url.hostname or "localhost", port), PATIENCE)


def usable_keys(visit: Visit, algorithms: Any) -> Mapping[str, Any]:
    try:
        return read_keys(document(visit), frozenset(algorithms))
    except Exception:  # whatever is wrong with the keys, they are of no use
        return {}


def clock_ahead(visit: Visit) -> float:
    """Return the seconds that the other clock is ahead, at the least; 0 where it is not told.

    The Date of an answer is a whole second, and lies somewhere between asking and being answered.
    """
    date = visit.answer.headers.get("Date") if visit.answer is not None else None
    with suppress(ValueError):
        told = parsedate_to_datetime(date or "").timestamp()
        return max(0.0, told - visit.ended) or min(0.0, told + 1 - visit.began)
    return 0.0


def seconds(ahead: float) -> str:
    return f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}"
