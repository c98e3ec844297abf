"""Under the production server, a real process: streaming, hanging up, and its own lines."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection

import pytest

from glassware.cli.server import WORKERS

pytestmark = pytest.mark.processes

APP = """
import logging, time
from glassware.observe.edge import Edge
from glassware.observe.logging import configure, event

logger = logging.getLogger("app")

def stream(environ):
    for number in range(50 if environ["PATH_INFO"] == "/long" else 3):
        event(logger, "chunk", number=number)
        yield b"x" * 65536
        time.sleep(0.01)

def broken(environ):
    yield b"x"
    raise RuntimeError("disk gone")

def app(environ, start_response):
    start_response("200 OK", [])
    return (broken if environ["PATH_INFO"] == "/broken" else stream)(environ)

app = Edge(app, "tasks")
"""
CONF = """
import sys
from glassware.observe.logging import configure

threads = 4
control_socket_disable = True

def on_starting(server):
    configure("tasks", "INFO", sys.stdout)
"""


@pytest.fixture(params=WORKERS)
def server(tmp_path, request):
    (tmp_path / "streaming_app.py").write_text(APP)
    (tmp_path / "conf.py").write_text(CONF)
    out = tmp_path / "out"
    with socket.create_server(("127.0.0.1", 0)) as listener, out.open("w") as stdout:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "-c",
                "conf.py",
                "-k",
                WORKERS[request.param],
                "-b",
                f"fd://{listener.fileno()}",
                "streaming_app:app",
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[listener.fileno()],
            stdout=stdout,
        )
        try:
            yield listener.getsockname(), out
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def wait_for(path, count):
    """Return the lines of the log once it has so many access lines."""
    for _ in range(500):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        if sum(line["event"] == "request" for line in lines) >= count:
            return lines
        time.sleep(0.02)
    raise AssertionError(path.read_text())


def test_each_line_of_a_real_server_is_json_and_knows_its_request(server):
    address, out = server
    for request_id, path in (("whole", "/"), ("failing", "/broken")):
        client = HTTPConnection(*address, timeout=20)
        client.request("GET", path, headers={"X-Request-Id": request_id, "Connection": "close"})
        answer = client.getresponse()
        assert answer.headers["X-Request-Id"] == request_id
        if path == "/":
            assert len(answer.read()) == 3 * 65536
        client.close()
    with socket.create_connection(address, 20) as client:
        client.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: leaving\r\n\r\n")
        client.recv(100)
    lines = wait_for(out, 3)
    access = {line["request_id"]: line for line in lines if line["event"] == "request"}
    assert access["whole"]["bytes"] == 3 * 65536
    assert access["failing"]["exception"]["message"] == "disk gone"
    assert access["leaving"]["aborted"] is True
    assert access["leaving"]["bytes"] < 50 * 65536
    chunks = [line for line in lines if line["event"] == "chunk"]
    assert {line["request_id"] for line in chunks} == {"whole", "leaving"}
    assert any(line["logger"] == "gunicorn.error" for line in lines)
