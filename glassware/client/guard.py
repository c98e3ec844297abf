"""Fetches what a caller pointed at, from the public Internet only.

The name is resolved once, each address is checked, and a checked one is dialled, so that a name
which resolves to another address a moment later gains nothing. Redirects are followed by hand, and
each hop is checked as the first one was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from types import MappingProxyType

import httpcore2
import httpx2

from glassware.client.addresses import BlockedAddressProblem, Rules
from glassware.client.answers import Answer, Call, clip, send
from glassware.client.transports.network import (
    Deadline,
    Network,
    NetworkTransport,
    Resolver,
    system_resolver,
    timeouts,
)
from glassware.observe import context
from glassware.problems import UpstreamProblem

#: No connection is used twice: what a foreign server sent too much must not begin the next answer.
LIMITS = httpx2.Limits(max_connections=128, max_keepalive_connections=0)
HEADERS = {
    "User-Agent": "glassware",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class OutsideClient:
    """Fetches and posts, without credentials, cookies, proxies or a trace: ``outside_client``."""

    def __init__(
        self,
        rules: Rules,
        transport: httpx2.BaseTransport,
        timeout: float,
        deadline: float,
        max_redirects: int,
    ) -> None:
        self._rules = rules
        self._transport = transport
        self._timeout = timeout
        self._deadline = deadline
        self._max_redirects = max_redirects

    @contextmanager
    def stream(self, url: str) -> Iterator[Answer]:
        """Give the answer of the URL with its body unread, in the bytes of the source.

        Raises ``BlockedAddressProblem`` before anything is sent there; ``UpstreamProblem`` (with
        the ``cause`` when the source sent a problem document), ``UnreachableProblem`` and
        ``UpstreamTimeoutProblem``, also while the body is read.
        """
        end = min(time.monotonic() + self._deadline, context.ends())
        target = self._rules.target(url)
        with closing(self._follow(target, end, self._max_redirects)) as answer:
            yield answer

    def check(self, url: str) -> None:
        """Raise ``BlockedAddressProblem`` for what is no address at all, or plainly a wrong one.

        What its name resolves to is looked at when it is called.
        """
        self._rules.target(url)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post the body, once; a redirect is a failure. Raises as ``stream`` does."""
        end = min(time.monotonic() + self._timeout, context.ends())
        answer = self._send(self._rules.target(url), end, "POST", headers, body)
        with closing(answer):
            answer.check()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _follow(self, target: httpx2.URL, end: float, hops: int) -> Answer:
        answer = self._send(target, end)
        if answer.status not in REDIRECTS or "Location" not in answer.headers:
            return self._accept(answer, end)
        answer.close()
        if not hops:
            raise answer.call.broken("is one redirect too many", answer.status)
        return self._follow(self._next(target, answer.headers["Location"]), end, hops - 1)

    def _send(
        self,
        target: httpx2.URL,
        end: float,
        method: str = "GET",
        headers: Mapping[str, str] = MappingProxyType({}),
        body: bytes | None = None,
    ) -> Answer:
        deadline = Deadline(self._timeout, min(end, time.monotonic() + self._timeout))
        request = httpx2.Request(
            method,
            target,
            headers={**HEADERS, **headers},
            content=body,
            extensions=timeouts(deadline),
        )
        return send(self._transport, Call(clip(target.netloc.decode()), request))

    def _accept(self, answer: Answer, end: float) -> Answer:
        try:
            answer.check()
            if answer.status != 200:
                raise answer.call.broken("is not the whole of it", answer.status)
        except UpstreamProblem:
            answer.close()
            raise
        answer.read_until(Deadline(self._timeout, end))
        return answer

    def _next(self, target: httpx2.URL, location: str) -> httpx2.URL:
        try:
            url = self._rules.target(str(target.join(location)))
        except (httpx2.InvalidURL, ValueError) as error:
            raise BlockedAddressProblem("The address redirects to what is not a URL.") from error
        if target.scheme == "https" and url.scheme != "https":
            raise BlockedAddressProblem("The address redirects from https to http.")
        return url


def outside_client(
    *,
    allowed_ports: Sequence[int] = (80, 443, 8080),
    allow: Sequence[str] = (),
    timeout: float = 10.0,
    deadline: float = 600.0,
    max_redirects: int = 3,
    resolver: Resolver = system_resolver,
    wire: httpcore2.NetworkBackend | None = None,
) -> OutsideClient:
    """Return a client for addresses that the caller of the service chose.

    ``allow`` names what may be fetched besides the public Internet, see ``Rules``. ``timeout`` is
    in seconds, for an answer to begin and for each silence in its body; ``deadline`` is for all
    of it. ``resolver`` and ``wire`` replace the system's resolver and sockets.
    """
    rules = Rules(allowed_ports, allow)
    network = Network(resolver=resolver, check=rules.check, wire=wire)
    transport = NetworkTransport(network, LIMITS)
    return OutsideClient(rules, transport, timeout, deadline, max_redirects)
