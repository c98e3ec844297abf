"""Granian inside of gunicorn's workers: gunicorn keeps the sockets, granian answers the requests.

Gunicorn starts, watches, stops and replaces the processes as it does for its own workers, so that
sockets of systemd, hand-over and metrics are the same. In each process granian reads and writes
the connections, in Rust, and calls the app in ``server.threads`` threads.
"""

from __future__ import annotations

import os
import socket
import threading
from asyncio import new_event_loop
from typing import Any

# None of these is public, so setup.cfg holds granian to the versions that have them.
from granian._futures import _new_cbscheduler
from granian._granian import SocketHolder, WorkerSignal, WSGIWorker
from granian.wsgi import _callback_wrapper
from gunicorn.workers.base import Worker

from glassware.cli.server import LINGER

#: Seconds between two signs of life for gunicorn.
PULSE = 1.0
#: Seconds after which a thread that had nothing to do ends.
IDLE = 30
#: Connections that a process holds at most.
CONNECTIONS = 1024
HTTP = ("1", None, None)
NO_TLS = (False, None, None, None, "tls1.3", None, (), False)
#: The hints of these are an earlier version's.
HOLDER: Any = SocketHolder
SERVER: Any = WSGIWorker


class GranianWorker(Worker):
    """A process of gunicorn's whose requests granian serves."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.told = threading.Event()

    def run(self) -> None:
        """Serve until told to stop; then take nobody on, and answer those who are connected."""
        running = [self.serve(number, each) for number, each in enumerate(self.sockets, 1)]
        while self.alive and self.ppid == os.getppid():
            self.notify()
            self.told.wait(PULSE)
        for each in self.sockets:
            refuse(each)
        # Whoever has connected is about to ask; granian would close a connection that is silent.
        threading.Event().wait(LINGER)
        for stop, _ in running:
            stop.set()
        for _, over in running:
            over.wait(self.cfg.graceful_timeout)

    def handle_exit(self, *_: Any) -> None:
        self.alive = False
        self.told.set()

    def serve(self, number: int, listener: Any) -> tuple[Any, threading.Event]:
        """Serve a socket in threads of its own; return its signal to stop, and that it is over."""
        local = listener.sock.family == socket.AF_UNIX
        holder = HOLDER(listener.fileno(), local, CONNECTIONS)
        threads = (1, 1, self.cfg.threads, IDLE, CONNECTIONS)
        worker = SERVER(number, (None, holder), None, *threads, *HTTP, None, *NO_TLS, (None, None))
        loop = new_event_loop()
        call = _new_cbscheduler(loop, _callback_wrapper(self.wsgi, {}), impl_asyncio=True)
        stop, over = WorkerSignal(), threading.Event()
        stop.add_cb(over.set)
        serve = worker.serve_str_uds if local else worker.serve_str
        serve(call, loop, stop)
        return stop, over


def refuse(listener: Any) -> None:
    """Accept nobody more: those who come from now on wait for the other workers, or the next.

    Granian goes on asking the descriptor for them, behind which is now a socket of no address.
    """
    with socket.socket(socket.AF_UNIX) as unknown:
        unknown.setblocking(False)
        unknown.bind("")
        unknown.listen()
        os.dup2(unknown.fileno(), listener.fileno(), inheritable=False)
