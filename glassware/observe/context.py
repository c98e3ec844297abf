"""Which request is being served: its id, its place in the trace, the time it has left."""

from __future__ import annotations

import math
import os
import re
import time
from contextvars import ContextVar
from typing import NamedTuple

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.*)?"
)
_TIMEOUT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_SAMPLED = 0x01

#: The seconds that the caller will go on waiting for; a neighbour that we ask has fewer.
TIMEOUT_HEADER = "X-Request-Timeout"


class Trace(NamedTuple):
    """A request's id and its span in a trace (W3C Trace Context, level 1).

    ``trace_id`` is 32 and ``span_id`` 16 hexadecimal digits; ``flags`` is 1 when the trace is
    recorded. ``service`` is the one that answers the request. ``ends`` is the moment, by
    ``time.monotonic()``, after which nobody waits for the answer. ``parent_id`` is the caller's
    span, "" where there is none.
    """

    request_id: str
    trace_id: str
    span_id: str
    flags: int = _SAMPLED
    service: str = ""
    ends: float = math.inf
    parent_id: str = ""

    @classmethod
    def incoming(
        cls,
        request_id: str | None = None,
        traceparent: str | None = None,
        service: str = "",
        timeout: str | None = None,
    ) -> Trace:
        """Return the trace of a request with these headers, in a span of its own.

        A request id that is not 1 to 64 of ``A-Za-z0-9._-``, and a traceparent that the standard
        (section 3.2.2) calls invalid, are replaced by new ones. A timeout that is not a plain
        number of seconds is none.
        """
        chance = os.urandom(40).hex()
        accepted = request_id if request_id and _REQUEST_ID.fullmatch(request_id) else chance[:32]
        told = _parsed(traceparent) if traceparent else None
        trace_id, parent_id, flags = told or (chance[32:64], "", _SAMPLED)
        ends = time.monotonic() + _seconds(timeout) if timeout else math.inf
        return cls(accepted, trace_id, chance[64:], flags, service, ends, parent_id)

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    def child(self) -> Trace:
        """Return the trace for one outgoing call: the same but for a new span."""
        return self._replace(span_id=os.urandom(8).hex())


def _seconds(timeout: str) -> float:
    return float(timeout) if _TIMEOUT.fullmatch(timeout) else math.inf


def _parsed(traceparent: str) -> tuple[str, str, int] | None:
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    if not int(found["trace"], 16) or not int(found["parent"], 16):
        return None
    # Flags that this version does not define must not be passed on (section 3.2.2.5).
    return found["trace"], found["parent"], int(found["flags"], 16) & _SAMPLED


_bound: ContextVar[Trace | None] = ContextVar("glassware_trace", default=None)


def bound() -> Trace | None:
    """Return the trace of the request being served, None outside of one."""
    return _bound.get()


def current() -> Trace:
    """Return the trace of the request being served, or a new one outside of a request."""
    return _bound.get() or Trace.incoming()


def ends() -> float:
    """Return the moment, by ``time.monotonic()``, after which nobody waits for the answer."""
    trace = _bound.get()
    return math.inf if trace is None else trace.ends


class bind:  # noqa: N801 - read as a verb, as contextlib's own are
    """Makes the trace the current one within the block, which it is given to."""

    __slots__ = ("_token", "trace")

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def __enter__(self) -> Trace:
        self._token = _bound.set(self.trace)
        return self.trace

    def __exit__(self, *_: object) -> None:
        _bound.reset(self._token)
