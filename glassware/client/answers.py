"""What came back: the body of an answer, read as far as it may be, and failures told as problems.

No connection is an ``UnreachableProblem``, time over an ``UpstreamTimeoutProblem``; an answer that
is a failure, or that cannot be used, is an ``UpstreamProblem`` with ``upstream_status`` and cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import responses
from typing import Any

import httpx2

from glassware.client.transports.network import Deadline, timeouts
from glassware.media import problem as problem_media
from glassware.problems import (
    Problem,
    UnreachableProblem,
    UpstreamProblem,
    UpstreamTimeoutProblem,
)

#: Bytes of a failed answer that are read for the problem document in it.
MAX_PROBLEM = 256 * 1024
#: Characters of a failed answer that are quoted when it has no problem document.
MAX_QUOTE = 200
#: The extension of a response by which a transport may put something around its document.
WATCH = "glassware.watch"


@dataclass(frozen=True)
class Call:
    """One request to a ``service``, as its failures name it."""

    service: str
    request: httpx2.Request

    def __str__(self) -> str:
        url = self.request.url.copy_with(query=None, fragment=None)
        return f"{self.request.method} {clip(str(url))}"

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Raise the problem for an error of the HTTP library that comes up inside."""
        try:
            yield
        except httpx2.TimeoutException as error:
            detail = f"{self.service} did not answer {self} in time."
            raise UpstreamTimeoutProblem(detail) from error
        except httpx2.ConnectError as error:
            detail = f"{self.service} cannot be reached for {self}: {clip(str(error))}"
            raise UnreachableProblem(detail) from error
        except httpx2.TransportError as error:
            raise self.broken("broke off, or is not HTTP") from error

    def broken(self, what: str, status: int | None = None) -> UpstreamProblem:
        """Return the problem for an answer that cannot be used; ``what`` is its predicate."""
        return upstream(f"The answer of {self.service} to {self} {what}.", status)

    def refused(self, answer: Answer) -> UpstreamProblem:
        """Return the problem for an answer that is a failure, with the cause that it states."""
        path, status = clip(self.request.url.raw_path.partition(b"?")[0].decode()), answer.status
        body = answer.beginning(MAX_PROBLEM)
        if credentials := self.request.headers.get("Authorization", "").partition(" ")[2]:
            # A sibling that quotes the token it refuses must not make us pass it on.
            body = body.replace(credentials.encode(), b"********")
        detail = f"{self.service} answered {self.request.method} {path} with {status}."
        cause = problem_media.parse(answer.content_type, body) or self._cause(status, body)
        return upstream(detail, status, {"status": status, **cause})

    def _cause(self, status: int, body: bytes) -> dict[str, Any]:
        title = responses.get(status, "Unknown status")
        return {"title": title, "service": self.service, "detail": quote(body)}


class Answer:
    """An answer whose body is read as it comes: iterate it once for the raw bytes.

    ``length`` is Content-Length when it has one that can be relied on; a body of another length
    raises ``UpstreamProblem``, at its end.
    """

    def __init__(self, call: Call, response: httpx2.Response) -> None:
        self.call = call
        self._response = response
        self.status = response.status_code
        self.headers = response.headers
        self.content_type: str = response.headers.get("Content-Type", "")
        self.length = body_length(response.headers)
        self.watched: Callable[[Any], Any] = response.extensions.get(WATCH, lambda value: value)

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        with self.call.failures():
            for chunk in self._response.iter_raw():
                received += len(chunk)
                yield chunk
        if self.length not in (None, received) and self.call.request.method != "HEAD":
            raise self.call.broken(f"has {received} bytes, not {self.length}")

    def read(self, limit: int) -> bytes:
        """Return the whole body; raise ``UpstreamProblem`` when it is over ``limit`` bytes."""
        body = bytearray()
        for chunk in self:
            body += chunk
            if len(body) > limit:
                raise self.call.broken(f"is longer than {limit} bytes", self.status)
        return bytes(body)

    def beginning(self, limit: int) -> bytes:
        """Return at most ``limit`` bytes of the body, fewer when it breaks off."""
        body = bytearray()
        with suppress(Problem):
            for chunk in self:
                body += chunk
                if len(body) >= limit:
                    break
        return bytes(body[:limit])

    def check(self) -> None:
        """Raise the problem of an answer that is not a success, or not as it was asked for."""
        if not 200 <= self.status < 300:
            raise self.call.refused(self)
        if self.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise self.call.broken("is compressed without being asked to", self.status)

    def read_until(self, deadline: Deadline) -> None:
        """Set the deadline of the body; without it, that of the request goes on."""
        # The connection looks at the timeouts again when it begins to read the body.
        self.call.request.extensions.update(timeouts(deadline))

    def close(self) -> None:
        """Release the connection."""
        self._response.close()


def send(transport: httpx2.BaseTransport, call: Call) -> Answer:
    """Send the request of the call and return its answer, which the caller closes."""
    with call.failures():
        return Answer(call, transport.handle_request(call.request))


def upstream(
    detail: str, status: int | None = None, cause: dict[str, Any] | None = None
) -> UpstreamProblem:
    """Return an ``UpstreamProblem`` that knows the status of the answer, off the wire."""
    problem = UpstreamProblem(detail, cause=cause)
    problem.upstream_status = status
    return problem


def body_length(headers: httpx2.Headers) -> int | None:
    """Return what Content-Length says, if it is valid and counts (RFC 9112 section 6.3)."""
    value = headers.get("Content-Length", "")
    if "Transfer-Encoding" in headers or not (value.isascii() and value.isdigit()):
        return None
    return int(value) if len(value) < 20 else None


def quote(body: bytes) -> str:
    """Return the beginning of a body as one line of text."""
    return clip(body[: 4 * MAX_QUOTE].decode(errors="replace"))


def clip(text: str) -> str:
    """Return at most 200 printable characters of a foreign text, on one line."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(line.split())[:MAX_QUOTE]
