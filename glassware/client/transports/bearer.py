"""The token of whoever is served goes along, and never to anybody but the sibling."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx2

from glassware.client.transports.layer import Layer
from glassware.problems import InvalidProblem, UnauthorizedProblem

PORTS = {"http": 80, "https": 443}

#: Checked here because the HTTP library quotes a header value that it refuses in its error.
CREDENTIALS = re.compile(r"[A-Za-z]+ [A-Za-z0-9._~+/=-]+")


class BearerTransport(Layer):
    """Sends to one origin only, with ``Authorization: Bearer`` (RFC 6750) when there is a token.

    An Authorization header that the request already has is left as it is. Raises
    ``InvalidProblem`` for a URL of another origin, before anything is sent.
    """

    def __init__(
        self, inner: httpx2.BaseTransport, base: httpx2.URL, token: Callable[[], str | None]
    ) -> None:
        super().__init__(inner)
        self._origin = origin(base)
        self._base = base
        self._token = token

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request with the token of this moment."""
        if origin(request.url) != self._origin or request.url.userinfo:
            raise InvalidProblem(f"The URL is not one of the service at {self._base}.")
        token = self._token()
        if token is not None and "Authorization" not in request.headers:
            self._authorize(request, f"Bearer {token}")
        return self.inner.handle_request(request)

    @staticmethod
    def _authorize(request: httpx2.Request, credentials: str) -> None:
        if not CREDENTIALS.fullmatch(credentials):
            raise UnauthorizedProblem("The token is not of the form of RFC 6750 section 2.1.")
        request.headers["Authorization"] = credentials


def origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    """Return scheme, host in ASCII, and effective port (RFC 9110 section 4.3.1)."""
    port = PORTS.get(url.scheme) if url.port is None else url.port
    return url.scheme, url.raw_host.decode(), port
