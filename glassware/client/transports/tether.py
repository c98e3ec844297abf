"""Calls that another thread can cut short, whatever they wait for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar

import httpcore2


class Tether:
    """Calls made within ``bound``, so that another thread can ``cut`` them short.

    A cut call fails with the error of a broken connection. To resolve a name and to connect go on
    until their own deadline.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wires: set[httpcore2.NetworkStream] = set()
        self._cut = False

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Tie the calls of this thread to the tether within the block."""
        token = _tether.set(self)
        try:
            yield
        finally:
            _tether.reset(token)

    @contextmanager
    def holding(self, wire: httpcore2.NetworkStream) -> Iterator[None]:
        """Let the wire be cut within the block."""
        with self._lock:
            if self._cut:
                raise httpcore2.ReadError("The call was cut short.")
            self._wires.add(wire)
        try:
            yield
        finally:
            with self._lock:
                self._wires.discard(wire)

    def cut(self) -> None:
        """End the calls that are under way, and let none begin."""
        with self._lock:
            self._cut = True
            for wire in self._wires:
                with suppress(OSError):
                    # Not by the method of a TLS socket, which takes the session from its reader.
                    socket.socket.shutdown(wire.get_extra_info("socket"), socket.SHUT_RDWR)


_tether: ContextVar[Tether | None] = ContextVar("glassware_tether", default=None)


def tied(wire: httpcore2.NetworkStream) -> AbstractContextManager[None]:
    """Let the wire be cut within the block, where its call has a tether."""
    tether = _tether.get()
    return nullcontext() if tether is None else tether.holding(wire)
