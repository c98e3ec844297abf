"""Log lines: one JSON object each, the same for our records, gunicorn's and any library's."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TextIO

from glassware.observe.context import bound
from glassware.observe.scrub import Scrubber, as_text

#: The attribute of a record that holds its structured fields.
FIELDS = "glassware_fields"


def event(
    logger: logging.Logger,
    name: str,
    /,
    *,
    level: int = logging.INFO,
    exc_info: Any = None,
    **fields: Any,
) -> None:
    """Log that something happened: ``event(logger, "token_issued", subject=...)``."""
    if not logger.isEnabledFor(level):
        return
    handler = None if exc_info else sole(logger)
    if handler is None:
        logger.log(level, name, exc_info=exc_info, extra={FIELDS: fields}, stacklevel=2)
    else:
        handler.tell(logger.name, level, name, fields)


def sole(logger: logging.Logger) -> Handler | None:
    """Return our handler where nobody else would be given a record of the logger."""
    root = logging.root
    while logger is not root:
        if logger.handlers or logger.filters or not logger.propagate or logger.parent is None:
            return None
        logger = logger.parent
    ours = root.handlers[0] if len(root.handlers) == 1 else None
    return ours if type(ours) is Handler and not ours.filters and not ours.level else None


class JsonFormatter(logging.Formatter):
    """Renders a record as one line of JSON, scrubbed.

    Members: ``ts`` (UTC), ``level``, ``logger``, ``event``, ``service``, and within a request
    ``request_id``, ``trace_id`` and ``span_id``; then the record's fields, and ``exception``
    (``type``, ``message``, ``stack``). A field named like one of these gets a trailing underscore.
    """

    def __init__(self, service: str, scrubber: Scrubber) -> None:
        super().__init__()
        self.service = service
        self.scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        more = dict(getattr(record, FIELDS, {}))
        own: dict[str, Any] = {}
        if record.exc_info and record.exc_info[1] is not None:
            own["exception"] = exception(record.exc_info[1])
        if record.stack_info:
            own["stack"] = record.stack_info
        told = (record.created, record.levelname, record.name, self.message(record))
        return self.line(*told, more, own)

    def line(
        self,
        created: float,
        level: str,
        logger: str,
        message: str,
        fields: Mapping[str, Any],
        own: Mapping[str, Any] = MappingProxyType({}),
    ) -> str:
        """Return the line of an event; ``own`` are members whose names are ours."""
        trace = bound()
        document = {
            "level": level,
            "logger": logger,
            "event": message,
            "service": (trace and trace.service) or self.service,
        }
        if trace is not None:
            document["request_id"] = trace.request_id
            document["trace_id"] = trace.trace_id
            document["span_id"] = trace.span_id
        taken = {"ts", *document}
        for name, value in fields.items():
            document[f"{name}_" if name in taken else name] = value
        document |= own
        if not self.scrubber.holds_nothing(document):
            document = self.scrubber.value(document)
        # Our own, and of a form that the scrubber would look into.
        return json.dumps({"ts": stamp(created), **document})

    def message(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, str) and not record.args:
            return record.msg  # scrubbed with the rest of the line
        message, arguments = as_text(*self.scrubbed((record.msg,))), record.args
        if not arguments:
            return message
        try:
            formatted: str = message % self.scrubbed(arguments)
            return formatted
        except Exception:
            # The caller's mistake must not cost the line, nor be printed past the scrubber.
            return f"{message} % {self.scrubber.value(arguments)}"

    def scrubbed(self, arguments: Mapping[str, object] | tuple[object, ...]) -> Any:
        """Return the arguments for formatting, those scrubbed whose text would hide more: keys
        are told with certainty in a structure only, and a repr splits lines and escapes."""
        if isinstance(arguments, Mapping):
            return self.scrubber.value(arguments)
        return tuple(
            self.scrubber.value(item) if isinstance(item, str | Mapping | list | tuple) else item
            for item in arguments
        )


def exception(error: BaseException) -> dict[str, str]:
    """Return the error's type, message and stack, those of its causes included in the stack."""
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins."),
        "message": as_text(error),
        "stack": "".join(traceback.format_exception(error)),
    }


def stamp(moment: float) -> str:
    """Return the moment in UTC (RFC 3339), to the microsecond."""
    seconds, millionths = divmod(round(moment * 1_000_000), 1_000_000)
    return f"{of_second(seconds)}.{millionths:06}Z"


@lru_cache(8)
def of_second(seconds: int) -> str:
    """Return the second that most lines of the moment begin with."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


class Handler(logging.StreamHandler[TextIO]):
    """Writes our lines. Configuring again replaces it."""

    def __init__(self, stream: TextIO, formatter: JsonFormatter) -> None:
        super().__init__(stream)
        self.formatter: JsonFormatter = formatter

    def tell(self, logger: str, level: int, name: str, fields: Mapping[str, Any]) -> None:
        """Write the line of an event, without the record that other handlers would need."""
        try:
            parts = (time.time(), logging.getLevelName(level), logger, name, fields)
            self.put(self.formatter.line(*parts))
        except Exception:
            self.lost(logger)

    def put(self, line: str) -> None:
        """Write a line that holds no secret."""
        with self.lock or nullcontext():
            self.stream.write(f"{line}\n")
            self.stream.flush()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        self.lost(record.name)  # the default prints the record's arguments, unscrubbed

    def lost(self, logger: str) -> None:
        kind = getattr(sys.exc_info()[0], "__name__", "")
        print(f"a log line of {logger} was lost: {kind}", file=sys.__stderr__)


def configure(
    service: str, level: str | int = logging.INFO, stream: TextIO | None = None
) -> Scrubber:
    """Send every record to ``stream`` (stdout by default) as JSON lines; return the scrubber.

    May be called again, which keeps the scrubber and what it knows: logging belongs to the
    process, and a second app must not uncover the secrets of the first.
    """
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler, Handler)]
    scrubber = ours[0].formatter.scrubber if ours else Scrubber()
    for handler in ours:
        root.removeHandler(handler)
    root.addHandler(Handler(stream or sys.stdout, JsonFormatter(service, scrubber)))
    root.setLevel(level)
    for name in ("gunicorn.error", "gunicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    return scrubber
