"""The production server: gunicorn with threads, its log lines in the house's form."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.systemd import SD_LISTEN_FDS_START, sd_notify
from gunicorn.workers import gthread

from glassware.cli import logs
from glassware.config import Config
from glassware.observe import metrics

if TYPE_CHECKING:
    from flask import Flask

    from glassware.cli.manager import Manager


#: Where small files need no disk.
MEMORY = Path("/dev/shm")  # noqa: S108 - only private files are made there
#: Seconds that an idle connection holds up a restart: a stopping worker accepts nobody.
LINGER = 0.2
#: Above every descriptor that a socket may have to be put at.
ABOVE = 100
#: What answers the requests in a process of gunicorn's, by the option ``server.kind``.
WORKERS = {"gunicorn": "gthread", "granian": "glassware.cli.granian.GranianWorker"}


class HouseLogger(Logger):
    """Leaves gunicorn's records to the root logger, which writes one JSON line for each."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True
        self.error_log.handlers.clear()


class Server(BaseApplication):
    """Gunicorn with our settings. The app is made in each worker, after the fork."""

    def __init__(self, name: str, make_app: Callable[[], Flask], config: Config) -> None:
        self.name = name
        self.make_app = make_app
        self.config = config
        super().__init__()

    def load_config(self) -> None:
        for name, value in {**settings(self.config), "proc_name": self.name}.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self.make_app()


def settings(config: Config) -> dict[str, Any]:
    """Return gunicorn's settings for our options."""
    return {
        "bind": f"{config['server.host']}:{config['server.port']}",
        "workers": config["server.workers"],
        "threads": config["server.threads"],
        "worker_class": WORKERS[config["server.kind"]],
        "timeout": int(config["server.timeout"]),
        "graceful_timeout": int(config["server.timeout"]),
        "keepalive": 15,
        "logger_class": HouseLogger,
        "worker_tmp_dir": str(MEMORY) if MEMORY.is_dir() else None,
        "child_exit": lambda _server, worker: metrics.forget(worker.pid),
        "on_exit": lambda _server: metrics.unshare(),
        "control_socket_disable": True,
        "forwarded_allow_ips": "",
        "pre_exec": prepare_successor,
        "post_worker_init": take_over,
    }


def prepare_successor(arbiter: Any) -> None:
    """Make the process that replaces this one (SIGUSR2) systemd's: its child, with its sockets."""
    if not arbiter.systemd:
        return
    if os.fork():
        os._exit(0)  # systemd would not notice the end of a child that is only ours
    copies = [fcntl(each.fileno(), F_DUPFD_CLOEXEC, ABOVE) for each in arbiter.LISTENERS]
    for each in arbiter.LISTENERS:
        os.set_inheritable(each.fileno(), False)
    for wanted, copy in enumerate(copies, SD_LISTEN_FDS_START):
        os.dup2(copy, wanted, inheritable=True)


def take_over(worker: Any) -> None:
    """Lead in place of the program that this one replaces, once the last of its workers can serve.

    The old one finishes its requests. Had this one failed before, the old one would just go on.
    """
    old = os.environ.get("GUNICORN_PID")
    if not old:
        return
    # Finds the database and the keys now, not while the first caller waits.
    worker.wsgi.extensions["glassware"].checks.ready()
    if worker.age >= worker.cfg.workers:
        sd_notify(f"MAINPID={worker.ppid}", worker.log)
        with suppress(ProcessLookupError):
            os.kill(int(old), signal.SIGTERM)


def take_turns() -> None:
    """Have no thread of this process interrupt another, nor one of its children's: SCHED_BATCH.

    Where one that reads requests and one that answers them share a processor, each request would
    else cost two more switches. The sandbox of systemd allows no change; the unit says the same.
    """
    if os.sched_getscheduler(0) == os.SCHED_OTHER:
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def serve(manager: Manager, overrides: Mapping[str, str], *, debug: bool) -> None:
    """Serve until told to stop."""
    metrics.share(MEMORY if MEMORY.is_dir() else None)
    app = manager.create_app(overrides)
    config = app.extensions["glassware"].config
    logs.tell(app)
    if debug:
        app.run(config["server.host"], config["server.port"], debug=True)
        return
    take_turns()
    gthread.STOP_KEEPALIVE_LINGER = LINGER
    name = f"glassware-{manager.service_name}"
    Server(name, lambda: manager.create_app(overrides), config).run()
