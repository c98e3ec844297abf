"""Log lines: one JSON object each, the same for our records, gunicorn's and any library's."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
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
    logger.log(level, name, exc_info=exc_info, extra={FIELDS: fields}, stacklevel=2)


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
        document = self.head(record)
        for name, value in getattr(record, FIELDS, {}).items():
            document[f"{name}_" if name in document else name] = value
        if record.exc_info and record.exc_info[1] is not None:
            document["exception"] = exception(record.exc_info[1])
        if record.stack_info:
            document["stack"] = record.stack_info
        stamp = document.pop("ts")  # ours, and of a form that the scrubber would look into
        if not self.scrubber.holds_nothing(document):
            document = self.scrubber.value(document)
        return json.dumps({"ts": stamp, **document})

    def head(self, record: logging.LogRecord) -> dict[str, Any]:
        trace = bound()
        instant = datetime.fromtimestamp(record.created, UTC)
        document = {
            "ts": instant.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "event": self.message(record),
            "service": (trace and trace.service) or self.service,
        }
        if trace is not None:
            document |= {
                "request_id": trace.request_id,
                "trace_id": trace.trace_id,
                "span_id": trace.span_id,
            }
        return document

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


class Handler(logging.StreamHandler[TextIO]):
    """Writes our lines. Configuring again replaces it."""

    def __init__(self, stream: TextIO, formatter: JsonFormatter) -> None:
        super().__init__(stream)
        self.formatter: JsonFormatter = formatter

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        # The default prints the record's arguments, unscrubbed.
        kind = getattr(sys.exc_info()[0], "__name__", "")
        print(f"a log line of {record.name} was lost: {kind}", file=sys.__stderr__)


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
