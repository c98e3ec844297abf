"""A foreign server for entries: it counts who is with it, and answers when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KIB = 1024


class Origin(ThreadingHTTPServer):
    """``/size/N`` sends N bytes, ``/slow/N`` after 20 ms, ``/gate/N`` once
    ``gate`` is set; ``/silent/N`` sends N bytes of twice as
    many and then nothing; ``/missing`` is a 404; ``/gzip`` is compressed though nobody asked.

    ``present`` is how many are being answered, ``most`` the most at once; ``asked`` are the paths.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.there: set[Handler] = set()
        self.most = 0
        self.asked: list[str] = []
        self.gate = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def present(self) -> int:
        return len(self.there)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that leaves is what is wanted."""


class Handler(BaseHTTPRequestHandler):
    server: Origin

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.there.add(self)
            self.server.most = max(self.server.most, self.server.present)
            self.server.asked.append(self.path)
        try:
            kind, _, number = self.path.lstrip("/").partition("/")
            getattr(self, f"send_{kind}")(int(number or 0))
        finally:
            self.leave()

    def leave(self) -> None:
        """Be counted no longer."""
        with self.server.lock:
            self.server.there.discard(self)

    def begin(self, length: int, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send_size(self, number: int) -> None:
        self.begin(number)
        self.wfile.write(bytes(number))

    def send_slow(self, number: int) -> None:
        time.sleep(0.02)
        self.leave()  # whoever reads the answer may be here again before this one has ended
        self.send_size(number)

    def send_gate(self, number: int) -> None:
        assert self.server.gate.wait(20)
        self.send_size(number)

    def send_silent(self, number: int) -> None:
        self.begin(2 * number + 1)
        self.wfile.write(bytes(number))
        # The end of the connection is all that can come.
        self.connection.settimeout(20)
        assert self.connection.recv(1) == b""

    def send_missing(self, _: int) -> None:
        self.begin(0, 404)

    def send_gzip(self, _: int) -> None:
        self.begin(20, Content_Encoding="gzip")
        self.wfile.write(bytes(20))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def origin() -> Iterator[Origin]:
    with Origin() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def until(condition: object, patience: float = 10) -> None:
    """Wait until the condition holds."""
    assert callable(condition)
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.005)
