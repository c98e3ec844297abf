"""The site for nginx, by nginx itself, in front of two real services on Unix sockets."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from glassware.cli.processes import free_ports
from glassware.config import variable

pytestmark = pytest.mark.nginx

ROOT = Path(__file__).parents[2]
SITE = ROOT / "deploy" / "nginx" / "glassware.conf"
DOMAIN = "glassware.example"
PASSWORD = "a long pass phrase, even"
MAIN = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/site.conf;
}}
"""


class Front:
    """The machine: nginx by TLS, auth and tasks behind it, archives not there."""

    def __init__(self, folder: Path, http: int, https: int) -> None:
        self.folder, self.http, self.https = folder, http, https

    def client(self) -> httpx2.Client:
        context = ssl.create_default_context(cafile=self.folder / "cert.pem")
        return httpx2.Client(verify=context, timeout=20, trust_env=False)

    def ask(self, method: str, service: str, path: str, **kwargs: Any) -> httpx2.Response:
        host = f"{service}.{DOMAIN}"
        headers = {"Host": host, **kwargs.pop("headers", {})}
        with self.client() as client:
            return client.request(
                method,
                f"https://127.0.0.1:{self.https}{path}",
                headers=headers,
                extensions={"sni_hostname": host},
                **kwargs,
            )

    def logged(self, path: str) -> str:
        """Return the log once it has a request for the path, which is after its answer is sent."""
        for _ in range(100):
            text = (self.folder / "access.log").read_text()
            if path in text:
                return text
            time.sleep(0.05)
        raise AssertionError(f"{path} is not in the log")


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("front")
    folder.chmod(0o711)
    ports = free_ports(["http", "https"])
    front = Front(folder, ports["http"], ports["https"])
    certificate(folder)
    site(front)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    with ExitStack() as stack:
        for name in ("auth", "tasks"):
            stack.enter_context(service(name, front))
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        assert nginx, "nginx is missing: apt install nginx-light"
        words = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
        words += ["-g", f"user {'root' if os.geteuid() == 0 else 'nobody'};"]
        stack.enter_context(running(subprocess.Popen(words)))
        for name in ("auth", "tasks"):
            wait_for(front, name)
        yield front


def certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    names = x509.SubjectAlternativeName([x509.DNSName(f"*.{DOMAIN}")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def site(front: Front) -> None:
    """Write the site with the places of the test in it, as an operator puts in theirs."""
    text = SITE.read_text()
    for old, new in {
        "/etc/letsencrypt/live/glassware.example/fullchain.pem": f"{front.folder}/cert.pem",
        "/etc/letsencrypt/live/glassware.example/privkey.pem": f"{front.folder}/key.pem",
        "/var/log/nginx/glassware.log": f"{front.folder}/access.log",
        "/run/glassware/": f"{front.folder}/",
        "listen 80;": f"listen 127.0.0.1:{front.http};",
        "listen 443 ssl;": f"listen 127.0.0.1:{front.https} ssl;",
        "    listen [::]:80;\n": "",
        "    listen [::]:443 ssl;\n": "",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    (front.folder / "site.conf").write_text(text)


def service(name: str, front: Front) -> AbstractContextManager[None]:
    """Start a service on the socket that nginx asks, as systemd does."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(front.folder / f"{name}.sock"))
    (front.folder / f"{name}.sock").chmod(0o666)
    listener.listen(100)
    options = {
        "service.state_dir": str(front.folder / name),
        "service.public_url": f"https://{name}.{DOMAIN}",
        "server.trusted_hosts": f"{name}.{DOMAIN}",
        "server.workers": "1",
    }
    given = {variable(name, option): value for option, value in options.items()}
    environ = {**os.environ, **given}
    manage = [sys.executable, str(ROOT / "services" / name / "manage.py")]
    subprocess.run([*manage, "db", "upgrade"], env=environ, check=True, capture_output=True)
    script = f'exec 3<&{listener.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
    with (front.folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", *manage, "runserver"],
            env=environ,
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
    listener.close()
    return running(process)


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the process with the block."""
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_for(front: Front, name: str) -> None:
    for _ in range(100):
        try:
            if front.ask("GET", name, "/health/live").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError((front.folder / f"{name}.log").read_text()[-2000:])


def test_every_service_answers_by_its_own_name_over_tls(front: Front) -> None:
    for name in ("auth", "tasks"):
        answer = front.ask("GET", name, "/")
        assert answer.json()["service"] == name
        assert f"https://{name}.{DOMAIN}/problems" in answer.text
        assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_person_registers_and_signs_in(front: Front) -> None:
    body = {"email": "ann@example.org", "name": "Ann", "password": PASSWORD}
    made = front.ask("POST", "auth", "/users", json=body)
    assert made.status_code == 201, made.text
    link = made.json()["activation"].removeprefix(f"https://auth.{DOMAIN}")
    assert front.ask("POST", "auth", link).status_code == 200
    token = link.partition("token=")[2]
    assert len(token) > 20
    assert token not in front.logged("/activation"), "the query is not logged"
    credentials = {"email": body["email"], "password": PASSWORD}
    assert "access_token" in front.ask("POST", "auth", "/login", json=credentials).json()


def test_a_caller_cannot_say_who_they_are(front: Front) -> None:
    """Each guess comes from "another" address, and is counted as one caller's all the same."""
    codes = []
    for number in range(12):
        answer = front.ask(
            "POST",
            "auth",
            "/login",
            json={"email": "nobody@example.org", "password": "wrong wrong wrong"},
            headers={"X-Forwarded-For": f"198.51.100.{number}"},
        )
        codes.append(answer.status_code)
    assert codes[0] == 401
    assert codes[-1] == 429


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/x/../metrics", "/metrics?a=b"]
)
def test_the_metrics_stay_inside(front: Front, path: str) -> None:
    answer = front.ask("GET", "tasks", path, headers={"X-Forwarded-For": "127.0.0.1"})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_plain_http_leads_to_https(front: Front) -> None:
    url = f"http://127.0.0.1:{front.http}/tasks?done=true"
    answer = httpx2.post(url, headers={"Host": f"tasks.{DOMAIN}"}, trust_env=False)
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://tasks.{DOMAIN}/tasks?done=true"


@pytest.mark.parametrize(
    ("service", "path", "size", "status"),
    [("archives", "/", 0, 503), ("auth", "/login", 17 * 2**20, 413), ("mail", "/", 0, 421)],
    ids=["down", "large", "stranger"],
)
def test_what_nginx_itself_refuses_is_a_problem_too(
    front: Front, service: str, path: str, size: int, status: int
) -> None:
    answer = front.ask("POST" if size else "GET", service, path, content=b"x" * size)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.text)["status"] == status
    assert status != 503 or int(answer.headers["Retry-After"]) > 0
