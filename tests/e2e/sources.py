"""Foreign servers that archives fetch from: good ones, slow ones, and ones that die."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Noise, so that no compression makes an archive of it small.
BLOCK = random.Random(7).randbytes(65_536)


class Source(ThreadingHTTPServer):
    """``/blocks/N`` sends N blocks of 64 KiB, ``/slow/N`` 10 ms apart; ``/dying/N`` promises
    twice as many; ``/endless`` goes on until the client leaves, which sets ``left``, and
    ``/silent`` says nothing after 60 blocks, until then; ``/redirect?URL`` sends elsewhere."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.left = threading.Event()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Source

    def do_GET(self) -> None:
        kind, _, argument = self.path.lstrip("/").partition("/")
        send = getattr(self, f"send_{kind}", None)
        if send is None:
            self.send_error(500)
        else:
            send(argument)

    def begin(self, length: int | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def send_blocks(self, argument: str) -> None:
        self.begin(len(BLOCK) * int(argument))
        for _ in range(int(argument)):
            self.wfile.write(BLOCK)

    def send_slow(self, argument: str) -> None:
        self.begin(len(BLOCK) * int(argument))
        for _ in range(int(argument)):
            self.wfile.write(BLOCK)
            time.sleep(0.01)

    def send_dying(self, argument: str) -> None:
        self.begin(2 * len(BLOCK) * int(argument))
        for _ in range(int(argument)):
            self.wfile.write(BLOCK)

    def send_endless(self, _argument: str) -> None:
        self.begin(None)
        try:
            while True:
                self.wfile.write(BLOCK)
                time.sleep(0.01)
        except OSError:
            self.server.left.set()

    def send_silent(self, _argument: str) -> None:
        self.begin(None)
        for _ in range(60):
            self.wfile.write(BLOCK)
        # One that leaves with blocks still on their way resets the connection.
        with suppress(ConnectionResetError):
            self.connection.recv(1)
        self.server.left.set()

    def send_redirect(self, argument: str) -> None:
        self.send_response(302)
        self.send_header("Location", argument)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def source(port: int) -> Iterator[Source]:
    with Source(port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
