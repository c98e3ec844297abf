"""The innermost transport: sockets, on which nothing waits longer than it may.

The timeouts of the HTTP library hold for each wait by itself, so that a peer which sends a byte
now and then is waited for without end; and names are resolved without any. Here a ``Deadline``
stands for the whole of what is waited for, and the network keeps it.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import cache, lru_cache
from typing import Any, Self

import httpcore2
import httpx2

from glassware.client.transports.tether import tied

Resolver = Callable[[str, int], Sequence[str]]
Check = Callable[[str, int, Sequence[str]], None]

#: Below the 2 seconds after which gunicorn closes an idle connection: closing it first spares
#: the request that would otherwise meet a connection just gone.
LIMITS = httpx2.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=1.5)


class Deadline(float):
    """A timeout for the HTTP library: no wait over ``seconds``, and none after ``end``.

    ``end`` is a moment of ``time.monotonic()``, by default so many seconds from now. It is a
    float so that the library hands it down to the network as it is.
    """

    end: float

    def __new__(cls, seconds: float, end: float | None = None) -> Self:
        """Start the time."""
        deadline = super().__new__(cls, seconds)
        deadline.end = time.monotonic() + seconds if end is None else end
        return deadline

    def left(self) -> float:
        """Return how many seconds the next wait may take; 0 when the time is over."""
        return max(0.0, min(self, self.end - time.monotonic()))


def timeouts(deadline: Deadline) -> dict[str, Any]:
    """Return the request extensions that set all four timeouts."""
    return {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), deadline)}


def time_left(request: httpx2.Request) -> float:
    """Return the seconds until the request's deadline."""
    deadline: Deadline = request.extensions["timeout"]["read"]
    return deadline.left()


def left(timeout: float | None, error: type[httpcore2.TimeoutException]) -> float:
    """Return the seconds of a timeout that remain; raise ``error`` when none do."""
    seconds = timeout.left() if isinstance(timeout, Deadline) else timeout
    if not seconds:
        raise error("The time is over.")
    return seconds


def system_resolver(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order of the system's preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def anywhere(host: str, port: int, addresses: Sequence[str]) -> None:
    """Refuse nothing: the host is of our own configuration."""


class Stream(httpcore2.NetworkStream):
    """A connection of which each wait keeps the deadline."""

    def __init__(self, wire: httpcore2.NetworkStream) -> None:
        self._wire = wire

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, at most ``max_bytes``."""
        with tied(self._wire):
            return self._wire.read(max_bytes, left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of the buffer."""
        with tied(self._wire):
            self._wire.write(buffer, left(timeout, httpcore2.WriteTimeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """Shake hands, and return the connection inside."""
        seconds = left(timeout, httpcore2.ConnectTimeout)
        with tied(self._wire):
            return Stream(self._wire.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> Any:
        """Return what the wire tells of itself."""
        return self._wire.get_extra_info(info)

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()


class Network(httpcore2.NetworkBackend):
    """Connects to a host: resolves it once, has the addresses checked, and dials one of these.

    ``check`` raises when the host may not be dialled; ``wire`` is what dials an address.
    """

    def __init__(
        self,
        *,
        resolver: Resolver = system_resolver,
        check: Check = anywhere,
        wire: httpcore2.NetworkBackend | None = None,
    ) -> None:
        self._resolver = resolver
        self._check = check
        self._wire = wire or httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address that answers."""
        addresses = self._resolve(host, port, left(timeout, httpcore2.ConnectTimeout))
        self._check(host, port, addresses)
        refusal: Exception = httpcore2.ConnectError(f"{host} has no address.")
        for tried, address in enumerate(addresses):
            # An address that swallows packets must leave time for the next one.
            share = left(timeout, httpcore2.ConnectTimeout) / (len(addresses) - tried)
            try:
                return self._dial(address, port, share, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                refusal = error
        raise refusal

    def _dial(
        self,
        address: str,
        port: int,
        seconds: float,
        options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.NetworkStream:
        stream = self._wire.connect_tcp(address, port, seconds, socket_options=options)
        try:
            peer = stream.get_extra_info("server_addr")[0]
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        if peer != address and ipaddress.ip_address(peer) != ipaddress.ip_address(address):
            stream.close()
            raise httpcore2.ConnectError("The connection leads to another address.")
        return Stream(stream)

    def _resolve(self, host: str, port: int, seconds: float) -> Sequence[str]:
        """Return the addresses; on a thread, since the system's resolver knows no timeout."""
        if is_address(host):
            return [host]
        found: Future[Sequence[str]] = Future()

        def work() -> None:
            try:
                found.set_result(self._resolver(host, port))
            except Exception as error:
                found.set_exception(error)

        threading.Thread(target=work, name=f"resolve {host}", daemon=True).start()
        try:
            return found.result(seconds)
        except TimeoutError:
            raise httpcore2.ConnectTimeout(f"{host} was not resolved in time.") from None
        except (OSError, ValueError) as error:
            raise httpcore2.ConnectError(f"{host} cannot be resolved.") from error


class NetworkTransport(httpx2.HTTPTransport):
    """HTTP/1.1 over a ``Network``: no proxy, nothing read from the environment."""

    def __init__(self, network: Network | None = None, limits: httpx2.Limits = LIMITS) -> None:
        context = tls()
        super().__init__(verify=context, trust_env=False)
        # The library has no public parameter for the network of its pool.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=network or Network(),
        )


@cache
def tls() -> ssl.SSLContext:
    """Return the context of every connection; to load the certificates takes 20 ms each time."""
    return httpx2.create_ssl_context(trust_env=False)


@lru_cache(1024)
def is_address(host: str) -> bool:
    """Return whether the host is an IP address as it stands."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
