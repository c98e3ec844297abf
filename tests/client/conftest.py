"""Servers on real sockets that answer by script, so that they can misbehave on the wire."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Turn = Callable[[socket.socket], bool | None]


class Server:
    """Answers its n-th request by the n-th turn, and further ones by the last.

    A turn writes to the connection and returns True to keep it open.
    """

    def __init__(self, turns: tuple[Turn, ...], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._turns = turns
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            while request := read_request(connection):
                with self._lock:
                    turn = self._turns[min(len(self.requests), len(self._turns) - 1)]
                    self.requests.append(request)
                if not turn(connection):
                    return

    def header(self, name: str, request: int = -1) -> str | None:
        """Return a header of a request as the server saw it."""
        head = self.requests[request].partition(b"\r\n\r\n")[0].decode("latin-1")
        for line in head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def lines(self) -> list[str]:
        """Return the request lines seen, without the protocol."""
        return [request.split(b" HTTP/")[0].decode() for request in self.requests]

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


class Wire:
    """Starts servers, and makes the turns that they are given."""

    def __init__(self) -> None:
        self.servers: list[Server] = []

    def serve(self, *turns: Turn, tls: ssl.SSLContext | None = None) -> Server:
        server = Server(turns, tls)
        self.servers.append(server)
        return server

    @staticmethod
    def raw(data: bytes, keep: bool = False) -> Turn:
        """Send these bytes."""

        def turn(connection: socket.socket) -> bool:
            connection.sendall(data)
            return keep

        return turn

    def reply(self, status: int, body: bytes = b"", **headers: str) -> Turn:
        """Send a proper answer; header names with underscores for hyphens."""
        headers.setdefault("Content_Length", str(len(body)))
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n"
        return self.raw(head.encode("latin-1") + body, keep=True)

    def json(self, document: object, status: int = 200, **headers: str) -> Turn:
        headers.setdefault("Content_Type", "application/json")
        return self.reply(status, json.dumps(document).encode(), **headers)

    def problem(self, status: int, **members: object) -> Turn:
        document = {"title": "Broken", "status": status, **members}
        return self.json(document, status, Content_Type="application/problem+json")

    @staticmethod
    def drip(head: bytes, piece: bytes, every: float) -> Turn:
        """Send the head, then a piece every so many seconds, for ever."""

        def turn(connection: socket.socket) -> None:
            connection.sendall(head)
            while True:
                connection.sendall(piece)
                if every:
                    time.sleep(every)

        return turn

    @staticmethod
    def hang(connection: socket.socket) -> None:
        """Say nothing until the other side goes."""
        connection.recv(1)

    @staticmethod
    def drop(connection: socket.socket) -> None:
        """Close without an answer."""

    @staticmethod
    def reset(connection: socket.socket) -> None:
        """Reset the connection."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@contextlib.contextmanager
def served() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    for server in wire.servers:
        server.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Servers for one test."""
    with served() as wire:
        yield wire


@pytest.fixture(scope="module")
def shared_wire() -> Iterator[Wire]:
    """Servers for all tests of a module."""
    with served() as wire:
        yield wire


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate for 127.0.0.1 that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(private + certificate.public_bytes(pem))
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """What a server needs to speak TLS with a certificate that nobody has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
