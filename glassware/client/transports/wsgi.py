"""A sibling in the same process, called as if it were in another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextvars import Context
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class WSGITransport(httpx2.BaseTransport):
    """Calls a WSGI application; an exception that it lets out reaches the caller.

    The application runs in a context of its own, as it would in a process of its own: neither the
    trace nor the request of the caller is seen inside, nor those of the application outside while
    its body is read piece by piece.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._wsgi = httpx2.WSGITransport(app=in_latin1(app))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Call the application, and return its answer with the body still to be read."""
        context = Context()
        response = context.run(self._wsgi.handle_request, request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = Apart(response.stream, context)
        return response


class Apart(httpx2.SyncByteStream):
    """A body that is made in a context of its own."""

    def __init__(self, stream: httpx2.SyncByteStream, context: Context) -> None:
        self._stream = stream
        self._context = context

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._context.run(iter, self._stream)
        while (chunk := self._context.run(next, chunks, None)) is not None:
            yield chunk

    def close(self) -> None:
        """End the application's part."""
        self._context.run(self._stream.close)


def in_latin1(app: WSGIApplication) -> WSGIApplication:
    """Return the application, called with the path that PEP 3333 asks for: bytes as latin-1."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = environ["PATH_INFO"].encode().decode("latin-1")
        return app(environ, start_response)

    return call
