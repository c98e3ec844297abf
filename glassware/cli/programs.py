"""Python programs that start at once: a process that has loaded their code forks for each."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from weakref import finalize

#: What takes long to load, whichever program it is.
SLOW = ("glassware.cli.database", "glassware.cli.server", "glassware.cli.verbs")
CONTEXT = get_context("forkserver")


def load(modules: Sequence[str]) -> None:
    """Have the modules loaded when the first program starts, for this one and all that follow."""
    CONTEXT.set_forkserver_preload([*SLOW, *modules])


class Program:
    """A script that runs with these words and this environment, in a process group of its own.

    It appends to the files ``output`` and ``errors``, and has nothing to read.
    """

    def __init__(
        self,
        script: Path,
        words: Sequence[str],
        environ: Mapping[str, str],
        output: Path,
        errors: Path,
    ) -> None:
        given = (str(script), list(words), dict(environ), output, errors)
        self._process = CONTEXT.Process(target=become, args=given)
        self._process.start()
        # What forked it knows how it ended, but may itself be gone before that.
        self._descriptor = os.pidfd_open(self.pid)
        finalize(self, os.close, self._descriptor)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Return its exit status, below 0 for a signal's; None while it runs."""
        if not self.wait(0):
            return None
        self._process.join()
        return self._process.exitcode

    def ask_to_stop(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGTERM)

    def wait(self, seconds: float) -> bool:
        """Return whether it is over, after this time at most."""
        return bool(wait([self._descriptor], seconds))

    def kill(self) -> None:
        """End it with all that it has started."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.join()


def become(
    script: str, words: Sequence[str], environ: Mapping[str, str], output: Path, errors: Path
) -> None:
    """Be the program, in a process that was forked for it."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environ)
    for path, number in ((output, 1), (errors, 2)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = [script, *words]
    runpy.run_path(script, run_name="__main__")


class Captured:
    """A program whose output is kept."""

    def __init__(self, script: Path, words: Sequence[str], environ: Mapping[str, str]) -> None:
        self._folder = TemporaryDirectory(prefix="glassware-")
        self._files = [Path(self._folder.name, name) for name in ("output", "errors")]
        self._program = Program(script, words, environ, *self._files)

    def result(self, seconds: float) -> tuple[int, str, str]:
        """Return its exit status, its output and its errors. Raises TimeoutError."""
        with self._folder:
            if not self._program.wait(seconds):
                self._program.kill()
                raise TimeoutError
            output, errors = (path.read_text() for path in self._files)
        assert self._program.status is not None
        return self._program.status, output, errors
