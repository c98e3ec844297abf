"""Calls that another thread can cut short, whatever they wait for."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import partial

import httpcore2


class CutError(BrokenPipeError):
    """Nobody waits any more for what was being done; it is no failure of whoever was called."""

    def __init__(self) -> None:
        # As the server knows it: a client that has left is nothing to write a trace about.
        super().__init__(errno.EPIPE, "Nobody waits for it any more.")


class Tether:
    """Calls made within ``bound``, so that another thread can ``cut`` them short.

    A cut call, and the block it was made in, raise CutError. To resolve a name and to connect go on
    until their own deadline. A tether that is made within the block of another is cut with it.
    """

    def __init__(self) -> None:
        self._outer = _tether.get()
        self._lock = threading.Lock()
        self._cuts: set[Callable[[], object]] = set()
        self._cut = False

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Tie the calls of this thread to the tether within the block."""
        token = _tether.set(self)
        try:
            with self._whole():
                yield
        finally:
            _tether.reset(token)

    @contextmanager
    def holding(self, cut: Callable[[], object]) -> Iterator[None]:
        """Have ``cut``, which must not wait, called when the tether is cut within the block."""
        outer = nullcontext() if self._outer is None else self._outer.holding(cut)
        with outer, self._whole():
            with self._lock:
                if self._cut:
                    raise CutError
                self._cuts.add(cut)
            try:
                yield
            finally:
                with self._lock:
                    self._cuts.discard(cut)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Raise CutError for whatever a cut has made of the block: an error, or an early end."""
        try:
            yield
        except Exception as error:
            if self._cut:
                raise CutError from error
            raise
        if self._cut:
            raise CutError

    def cut(self) -> None:
        """End the calls that are under way, and let none begin."""
        with self._lock:
            self._cut = True
            for cut in self._cuts:
                cut()


_tether: ContextVar[Tether | None] = ContextVar("glassware_tether", default=None)


def tied(wire: httpcore2.NetworkStream) -> AbstractContextManager[None]:
    """Let the wire be cut within the block, where its call has a tether."""
    tether = _tether.get()
    return nullcontext() if tether is None else tether.holding(partial(shut, wire))


def shut(wire: httpcore2.NetworkStream) -> None:
    with suppress(OSError):
        # Not by the method of a TLS socket, which takes the session from its reader.
        socket.socket.shutdown(wire.get_extra_info("socket"), socket.SHUT_RDWR)
