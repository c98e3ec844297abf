"""Notices that a client has left while there is nothing to send to it.

A server learns it when it writes. An answer that waits for a slow source writes nothing, and would
hold the source, its memory and a thread until that has spoken.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

from glassware.client.transports.tether import Tether

#: Under which names servers lend the socket of the client; granian lends none.
SOCKETS = ("gunicorn.socket", "werkzeug.socket")


class Watch:
    """One thread, started at first need, that waits for any client to close its connection.

    As for nginx, one that has only ended its own side has left.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leaving: dict[int, Callable[[], object]] = {}
        self._events: select.epoll | None = None

    def attended(
        self, environ: Mapping[str, Any], blocks: Generator[bytes, None, None]
    ) -> Generator[bytes, None, None]:
        """Yield the blocks while the client is there; raise CutError as soon as it is not."""
        with closing(blocks), self.over(environ) as client:
            while True:
                with client.bound():
                    block = next(blocks, None)
                if block is None:
                    return
                yield block

    @contextmanager
    def over(self, environ: Mapping[str, Any]) -> Iterator[Tether]:
        """Give a tether that is cut when the client of the request leaves within the block."""
        tether = Tether()
        lent = next((environ[name] for name in SOCKETS if name in environ), None)
        if lent is None:
            yield tether
            return
        number = lent.fileno()
        self._add(number, tether.cut)
        try:
            yield tether
        finally:
            self._drop(number)

    def _add(self, number: int, leave: Callable[[], object]) -> None:
        with self._lock:
            if self._events is None:
                self._events = select.epoll()
                threading.Thread(target=self._wait, name="watch", daemon=True).start()
            self._leaving[number] = leave
            self._events.register(number, select.EPOLLRDHUP | select.EPOLLONESHOT)

    def _drop(self, number: int) -> None:
        with self._lock, suppress(OSError):  # where the connection is closed already
            del self._leaving[number]
            assert self._events is not None
            self._events.unregister(number)

    def _wait(self) -> None:
        assert self._events is not None
        while True:
            for number, _ in self._events.poll():
                with self._lock:
                    # By now the number may be that of another client, who is there.
                    if number in self._leaving and has_left(number):
                        self._leaving[number]()


def has_left(number: int) -> bool:
    found = select.poll()
    found.register(number, select.POLLRDHUP)
    return bool(found.poll(0))
