"""The access line of a request whose every part is known, written without ceremony."""

from __future__ import annotations

import logging
import time
from json import dumps as listed
from json import loads
from typing import NamedTuple

from glassware.observe.context import Trace, bind
from glassware.observe.logging import event, sole, stamp


class Entry(NamedTuple):
    """What the line says, besides when and by which trace; ``""`` and ``()`` are left out.

    ``problem`` is JSON, and written as it is.
    """

    method: str
    path: str
    route: str
    query: tuple[str, ...]
    status: int
    bytes: int
    seconds: float
    subject: str
    client: str
    parent_id: str
    problem: str = ""


def write(logger: logging.Logger, trace: Trace, entry: Entry) -> None:
    """Write the line ``request``, as ``event`` does with the same fields.

    ``path``, ``route`` and ``query`` must be of the service's own making, but for ids.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    handler = sole(logger)
    chosen = f"{entry.path} {trace.request_id} {entry.subject} {entry.client}"
    if handler is None or not handler.formatter.scrubber.is_plain(chosen):
        fields = {name: value for name, value in entry._asdict().items() if value not in ("", ())}
        if entry.problem:
            fields["problem"] = loads(entry.problem)
        with bind(trace):
            event(logger, "request", **fields)
    else:
        handler.put(line(logger.name, trace, entry))


def line(logger: str, trace: Trace, entry: Entry) -> str:
    """Return the line; no text in it needs to be escaped."""
    method, path, route, query, status, sent, seconds, subject, client, parent, problem = entry
    request_id, trace_id, span_id, _, service, *_ = trace
    asked = f'"query": {listed(query)}, ' if query else ""
    told = f', "subject": "{subject}", "client": "{client}"' if subject else ""
    if parent:
        told += f', "parent_id": "{parent}"'
    if problem:
        told += f', "problem": {problem}'
    return (
        f'{{"ts": "{stamp(time.time())}", "level": "INFO", "logger": "{logger}",'
        f' "event": "request", "service": "{service}", "request_id": "{request_id}",'
        f' "trace_id": "{trace_id}", "span_id": "{span_id}", "method": "{method}",'
        f' "path": "{path}", "route": "{route}", {asked}"status": {status}, "bytes": {sent},'
        f' "seconds": {seconds}{told}}}'
    )
