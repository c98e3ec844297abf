"""The guard: what a caller may point at, and what a hostile source cannot do."""

from __future__ import annotations

import gzip
import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import httpcore2
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.client import BlockedAddressProblem, OutsideClient, outside_client
from glassware.client.addresses import Rules, is_public
from glassware.problems import (
    InvalidProblem,
    UnreachableProblem,
    UpstreamProblem,
    UpstreamTimeoutProblem,
)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

#: Names that the resolver of these tests knows; any other one is public.
NAMES = {
    "localhost": ["127.0.0.1"],
    "inside.test": ["10.1.2.3"],
    "metadata.google.internal": ["169.254.169.254"],
    "mixed.test": ["93.184.216.34", "192.168.1.1"],
    "mixed6.test": ["2606:2800:220:1::1", "fd00::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "sixtofour.test": ["2002:7f00:1::"],
    "zone.test": ["fe80::1%eth0"],
    "zero.test": ["0.0.0.0"],
    "nothing.test": [],
    "xn--bcher-kva.test": ["127.0.0.1"],
    "printer": ["192.168.0.9"],
}

HOSTILE = (
    """
http://localhost/  http://LOCALHOST/  http://localhost:80/  https://localhost/  http://inside.test/
http://metadata.google.internal/computeMetadata/v1/  http://mixed.test/  http://mixed6.test/
http://mapped.test/  http://nat64.test/  http://sixtofour.test/  http://zone.test/  http://zero.test/
http://bücher.test/  http://printer/
http://127.0.0.1/  http://127.0.0.1:443/  http://127.1/  http://127.0.1/  http://127.255.255.254/
http://127.0.0.1./  http://localhost./  http://93.184.216.34./  http://0/  http://0.0.0.0/
http://2130706433/  http://0x7f000001/  http://0X7F.0.0.1/  http://0x7f.1/  http://017700000001/
http://0177.0.0.1/  http://0177.0.0.01/  http://00000127.0.0.1/  http://127.0.0.1.0x0/  http://0x/
http://４２/  http://１２７.0.0.1/  http://①②⑦.0.0.1/  http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/  http://127。0。0。1/
http://127%2e0%2e0%2e1/  http://%31%32%37.0.0.1/  http://loc%61lhost/  http://localhost%00.example/
http://10.0.0.1/  http://10.255.255.255/  http://172.16.0.1/  http://172.31.255.255/
http://192.168.0.1/  http://100.64.0.1/  http://100.127.255.255/  http://169.254.169.254/latest/
http://169.254.0.1/  http://2852039166/  http://0xa9fea9fe/  http://169.254.169.254.:80/
http://192.0.0.1/  http://192.0.0.9/  http://192.0.2.1/  http://198.51.100.1/  http://203.0.113.1/
http://198.18.0.1/  http://192.88.99.1/  http://224.0.0.1/  http://239.255.255.250/  http://240.0.0.1/
http://255.255.255.255/  http://0.1.2.3/
http://[::1]/  http://[::]/  http://[0:0:0:0:0:0:0:1]/  http://[::127.0.0.1]/  http://[::7f00:1]/
http://[::ffff:127.0.0.1]/  http://[::ffff:7f00:1]/  http://[::ffff:8.8.8.8]/  http://[::ffff:0:127.0.0.1]/
http://[64:ff9b::127.0.0.1]/  http://[64:ff9b::8.8.8.8]/  http://[64:ff9b:1::1]/  http://[2002:7f00:1::]/
http://[2001::1]/  http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/  http://[2001:db8::1]/
http://[2001:10::1]/  http://[2001:20::1]/  http://[3fff::1]/  http://[5f00::1]/  http://[100::1]/
http://[fc00::1]/  http://[fd00:ec2::254]/  http://[fe80::1]/  http://[fe80::1%25eth0]/
http://[fe80::1%eth0]/  http://[2606:4700::1%25eth0]/  http://[fec0::1]/  http://[ff02::1]/
http://[ff0e::1]/  http://[::1  http://::1/  http://[127.0.0.1]/  http://[v1.fe80]/  http://[]/
http://user@example.com/  http://user:word@example.com/  http://:@example.com/
http://example.com\\@127.0.0.1/  http://127.0.0.1\\@example.com/  http://example.com@127.0.0.1/
http://example.com:80@127.0.0.1/  http://127.0.0.1#@example.com/  http://127.0.0.1?@example.com/
http://example.com:22/  http://example.com:25/  http://example.com:6379/  http://example.com:0/
http://example.com:65536/  http://example.com:-1/  http://example.com:99999999999/
http://example.com:8o/  https://example.com:11211/  http://127.0.0.1:6379/
file:///etc/passwd  file://localhost/etc/passwd  ftp://example.com/  gopher://example.com:80/_x
dict://example.com:80/  ldap://example.com/  data:text/plain,x  jar:http://example.com!/
javascript:alert(1)  ws://example.com/  unix:///run/x.sock  http+unix://x/  //example.com/  /x  x
http:example.com  http:/example.com  http:///example.com  http://  :  http://?  http://#
http://exa_mple..com/  http://.example.com/  http://example.com../  http://-example.com/
http://example-.com/  http://exa*mple.com/  http://exa$mple.com/  http://exa|mple.com/  http://a,b/
http://{long}.com/  http://{name}/
""".replace("{long}", "a" * 64)
    .replace("{name}", ".".join(["a" * 60] * 5))
    .split()
)

#: With characters that the list above cannot hold.
HOSTILE += [
    "",
    " ",
    "http://exam ple.com/",
    " http://localhost/",
    "http://localhost /",
    "http://example.com\r\nHost: 127.0.0.1/",
    "http://example.com\t/",
    "http://example.com\x00.evil/",
    "http://example.com/\r\n\r\nGET /internal",
    "http://\u200blocalhost/",
    "http://local\u00adhost/",
    "http://example.com/\ud800",
    "http://\ud800/",
    "http://127.0.0.1\uff0fx/",
    "http://\uff3b::1\uff3d/",
    "http://example.com:\u0668\u0660\u0660\u0660\u0660/",
    "http://example.com/" + "a" * 70_000,
]

REACHED = ["http://example.com/", "https://EXAMPLE.com:443/a?b=c#d", "http://93.184.216.34:8080/"]
REACHED += ["http://[2606:2800:220:1:248:1893:25c8:1946]/", "http://faß.de/", "http://my_host.com/"]
REACHED += ["http://example.com/@127.0.0.1/?u=http://localhost/", "http://@example.com/"]


class Recorder(httpcore2.NetworkBackend):
    """Notes what would be dialled, and dials nothing."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, int]] = []

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.dialled.append((host, port))
        raise httpcore2.ConnectError("a recorder does not connect")


class Watched(httpcore2.SyncBackend):
    """Notes what is dialled, and dials it."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, int]] = []

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.dialled.append((host, port))
        return super().connect_tcp(host, port, timeout)


class Detour(httpcore2.SyncBackend):
    """Connects to a server of ours whatever address is dialled, as a faulty network would."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        return super().connect_tcp("127.0.0.1", self.port, timeout)


def resolve(host: str, port: int) -> list[str]:
    return NAMES.get(host, ["93.184.216.34"])


@pytest.fixture
def outside() -> Iterator[Callable[..., OutsideClient]]:
    """Make clients that are closed after the test."""
    with ExitStack() as stack:

        def make(**settings) -> OutsideClient:
            client = outside_client(**{"timeout": 2.0, "resolver": resolve, **settings})
            stack.callback(client.close)
            return client

        yield make


def fetch(client: OutsideClient, url: str) -> bytes:
    with client.stream(url) as answer:
        return b"".join(answer)


# Addresses


@pytest.fixture(scope="module")
def recorded() -> Iterator[tuple[OutsideClient, Recorder]]:
    """A client whose network only notes what would be dialled."""
    recorder = Recorder()
    with closing(outside_client(resolver=resolve, wire=recorder)) as client:
        yield client, recorder


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_url_is_refused_and_nothing_dialled(recorded, url):
    client, recorder = recorded
    recorder.dialled.clear()
    with pytest.raises(BlockedAddressProblem) as raised:
        fetch(client, url)
    assert recorder.dialled == []
    assert raised.value.status == 422


def test_corpus_is_large():
    assert len(set(HOSTILE)) >= 150


def test_refusal_is_an_invalid_problem_that_maps_nothing(outside):
    with pytest.raises(InvalidProblem) as raised:
        fetch(outside(), "http://inside.test/")
    assert raised.value.slug == "blocked-address"
    assert "inside.test" in raised.value.detail
    assert "10.1.2.3" not in raised.value.detail


@pytest.mark.parametrize("url", REACHED)
def test_public_url_is_dialled_by_its_address(outside, url):
    recorder = Recorder()
    with pytest.raises(UnreachableProblem):
        fetch(outside(wire=recorder), url)
    assert len(recorder.dialled) == 1
    assert is_public(ipaddress.ip_address(recorder.dialled[0][0]))


@given(st.ip_addresses())
def test_public_address_is_at_most_what_the_registries_call_global(address):
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast
        assert address.version == 4 or address in ipaddress.ip_network("2000::/3")


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_inner_address_is_not_public_in_any_wrapping(address):
    number = int(address)
    wrapped = [
        number,
        0xFFFF << 32 | number,
        0xFFFF << 48 | number,
        0x64FF9B << 96 | number,
        0x64FF9B0001 << 80 | number,
        0x2002 << 112 | number << 80,
        0x20010000 << 96 | (number ^ 0xFFFFFFFF),
    ]
    assert not is_public(address)
    assert not any(is_public(ipaddress.IPv6Address(one)) for one in wrapped)


@given(st.text() | st.builds("http://{}/{}".format, st.text(), st.text()))
def test_any_text_is_a_target_or_refused(text):
    rules = Rules((80, 443), ())
    try:
        url = rules.target(text)
    except BlockedAddressProblem:
        return
    assert url.scheme in ("http", "https")
    assert not url.userinfo
    assert url.raw_host


# What is allowed besides


def test_allowed_origin_is_fetched_on_its_port(wire, outside):
    server = wire.serve(wire.reply(200, b"hello", Content_Type="text/plain"))
    with outside(allow=[server.url]).stream(f"{server.url}/a?b=c#d") as answer:
        assert (answer.status, answer.length, answer.content_type) == (200, 5, "text/plain")
        assert list(answer) == [b"hello"]
    assert server.lines() == ["GET /a?b=c"]


def test_allowed_origin_does_not_open_its_neighbours(wire, outside):
    server, other = wire.serve(wire.reply(200)), wire.serve(wire.reply(200))
    client = outside(allow=[server.url], allowed_ports=[other.port])
    for url in (other.url, f"http://localhost:{server.port}", f"http://localhost:{other.port}"):
        with pytest.raises(BlockedAddressProblem):
            fetch(client, url)
    assert server.connections == other.connections == 0


def test_allowed_network_and_name_are_fetched_on_the_usual_ports(wire, outside):
    server = wire.serve(wire.reply(200, b"ok"))
    for allow in ("127.0.0.0/8", "127.0.0.1", "localhost", "LocalHost"):
        client = outside(allow=[allow], allowed_ports=[server.port])
        assert fetch(client, f"http://localhost:{server.port}/") == b"ok"
        with pytest.raises(BlockedAddressProblem):
            fetch(outside(allow=[allow]), f"http://localhost:{server.port}/")


@pytest.mark.parametrize(
    "entry", ["a b", "10.0.0.0/99", "host:80", "", "http://", "1.2.3", "http://[::"]
)
def test_allowing_what_is_no_host_stops_the_start(entry):
    with pytest.raises(ValueError, match=r".+"):
        outside_client(allow=[entry])


# Names


def test_name_is_resolved_once_and_the_checked_address_dialled(wire, outside):
    server = wire.serve(wire.reply(200, b"inside"))
    answers = [["93.184.216.34"], ["127.0.0.1"]]
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    recorder = Recorder()
    client = outside(resolver=rebinding, wire=recorder, allowed_ports=[server.port])
    with pytest.raises(UnreachableProblem):
        fetch(client, f"http://rebind.test:{server.port}/")
    assert (asked, recorder.dialled) == (["rebind.test"], [("93.184.216.34", server.port)])
    with pytest.raises(BlockedAddressProblem):
        fetch(client, f"http://rebind.test:{server.port}/")
    assert len(recorder.dialled) == 1
    assert server.connections == 0


def test_connection_that_leads_elsewhere_is_not_used(wire, outside):
    server = wire.serve(wire.reply(200, b"inside"))
    with pytest.raises(UnreachableProblem, match="leads to another address"):
        fetch(outside(wire=Detour(server.port)), "http://example.com/")
    assert server.requests == []


def test_next_address_is_tried_when_one_is_dead(wire, outside, closed_port):
    server = wire.serve(wire.reply(200, b"ok"))
    client = outside(
        resolver=lambda host, port: ["127.0.0.2", "127.0.0.1"],
        allow=["127.0.0.0/8"],
        allowed_ports=[server.port],
    )
    assert fetch(client, f"http://two.test:{server.port}/") == b"ok"


def failing(host: str, port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "unknown")


@pytest.mark.parametrize(
    "resolver", [failing, lambda host, port: [], lambda host, port: "ä".encode("ascii")]
)
def test_name_that_does_not_resolve_is_unreachable(outside, resolver):
    with pytest.raises(UnreachableProblem):
        fetch(outside(resolver=resolver), "http://nobody.test/")


def test_slow_resolver_is_given_up_in_time(outside):
    answer = threading.Event()

    def slow(host: str, port: int) -> list[str]:
        answer.wait(10)
        return ["127.0.0.1"]

    start = time.monotonic()
    with pytest.raises(UpstreamTimeoutProblem):
        fetch(outside(resolver=slow, timeout=0.2), "http://slow.test/")
    answer.set()
    assert time.monotonic() - start < 1.0


# Redirects


def test_redirects_are_followed_up_to_three(wire, outside):
    moves = [wire.reply(302, Location="/b"), wire.reply(301, Location="c?x=1")]
    server = wire.serve(*moves, wire.reply(307, Location="../d#e"), wire.reply(200, b"end"))
    assert fetch(outside(allow=[server.url]), f"{server.url}/a") == b"end"
    assert server.lines() == ["GET /a", "GET /b", "GET /c?x=1", "GET /d"]


@pytest.mark.parametrize("limit", [0, 3])
def test_endless_redirect_ends(wire, outside, limit):
    server = wire.serve(wire.reply(302, Location="/again"))
    with pytest.raises(UpstreamProblem) as raised:
        fetch(outside(allow=[server.url], max_redirects=limit), server.url)
    assert raised.value.upstream_status == 302
    assert len(server.requests) == limit + 1


class Redirector:
    """A source of ours that redirects to wherever ``location`` says, and a client that may ask."""

    def __init__(self, wire) -> None:
        self.status, self.location = 302, ""
        server = wire.serve(
            lambda connection: wire.reply(self.status, Location=self.location)(connection)
        )
        self.source = ("127.0.0.1", server.port)
        self.network = Watched()
        self.url = server.url
        self.client = outside_client(resolver=resolve, wire=self.network, allow=[server.url])

    def refuses(self, location: str, status: int = 302) -> bool:
        """Return whether the hop is refused, and only the source dialled."""
        self.status, self.location = status, location.encode().decode("latin-1")
        self.network.dialled.clear()
        with pytest.raises(BlockedAddressProblem):
            fetch(self.client, self.url)
        return self.network.dialled == [self.source]


@pytest.fixture(scope="module")
def redirector(shared_wire) -> Iterator[Redirector]:
    redirector = Redirector(shared_wire)
    with closing(redirector.client):
        yield redirector


@pytest.mark.parametrize(
    "url",
    # Without a host it is relative to the source itself.
    [url for url in HOSTILE if re.search("://[^/?#]", url) and url.isprintable()],
)
def test_redirect_to_a_hostile_url_is_refused(redirector, url):
    assert redirector.refuses(url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["//localhost/", "http://169.254.169.254/", "file:/etc/passwd"]
)
def test_redirect_inside_is_refused_whatever_its_kind(redirector, status, location):
    assert redirector.refuses(location, status)


def test_redirect_to_a_neighbour_of_the_source_is_refused(wire, redirector):
    inside = wire.serve(wire.reply(200, b"secret"))
    assert redirector.refuses(inside.url)
    assert inside.connections == 0


def test_redirect_from_https_to_http_is_refused():
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(302, headers={"Location": "http://example.com/"})

    rules = Rules((80, 443), ())
    client = OutsideClient(rules, httpx2.MockTransport(answer), 1.0, 1.0, 3)
    with pytest.raises(BlockedAddressProblem, match="https to http"):
        fetch(client, "https://example.com/")
    assert asked == ["https://example.com/"]


def test_redirect_without_a_place_is_a_failure(wire, outside):
    server = wire.serve(wire.reply(302))
    with pytest.raises(UpstreamProblem) as raised:
        fetch(outside(allow=[server.url]), server.url)
    assert raised.value.upstream_status == 302


# What is sent


def test_nothing_of_the_caller_is_sent(wire, outside, monkeypatch, tmp_path):
    server = wire.serve(wire.reply(302, Set_Cookie="a=b", Location="/x"), wire.reply(200))
    proxy = wire.serve(wire.reply(200, b"proxied"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    fetch(outside(allow=[server.url]), server.url)
    assert proxy.connections == 0
    for request in server.requests:
        names = {line.partition(b":")[0].lower() for line in request.split(b"\r\n")[1:] if line}
        assert names == {b"host", b"user-agent", b"accept", b"accept-encoding", b"connection"}
    assert server.header("Accept-Encoding") == "identity"


# Sources that fail


def test_problem_of_the_source_is_the_cause(wire, outside):
    cause = {"title": "Disk full", "status": 507}
    server = wire.serve(wire.problem(500, detail="no disk", service="files", cause=cause))
    with pytest.raises(UpstreamProblem) as raised:
        fetch(outside(allow=[server.url]), f"{server.url}/file?signature=secret")
    assert raised.value.upstream_status == 500
    assert raised.value.cause["service"] == "files"
    assert raised.value.cause["cause"] == cause
    assert raised.value.detail == f"127.0.0.1:{server.port} answered GET /file with 500."


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 401, 404, 429, 500, 503])
def test_answer_that_is_not_the_content_is_a_problem(wire, outside, status):
    server = wire.serve(wire.reply(status, b"" if status in (204, 304) else b"text"))
    with pytest.raises(UpstreamProblem) as raised:
        fetch(outside(allow=[server.url]), server.url)
    assert raised.value.upstream_status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "zstd", "identity, gzip", "x"])
def test_compressed_answer_is_refused(wire, outside, encoding):
    server = wire.serve(wire.reply(200, gzip.compress(b"x"), Content_Encoding=encoding))
    with pytest.raises(UpstreamProblem, match="compressed"):
        fetch(outside(allow=[server.url]), server.url)


def test_identity_is_not_compressed(wire, outside):
    server = wire.serve(wire.reply(200, b"x", Content_Encoding="Identity"))
    assert fetch(outside(allow=[server.url]), server.url) == b"x"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        CHUNKED + b"3\r\nabc\r\n",
        CHUNKED + b"zzz\r\nabc",
        CHUNKED + b"f" * 40 + b"\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 60_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX:\x00y\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"220 smtp ready\r\n",
        b"\x16\x03\x01",
        b"",
    ],
)
def test_broken_answer_is_a_problem(wire, outside, answer):
    server = wire.serve(wire.raw(answer))
    with pytest.raises(UpstreamProblem):
        fetch(outside(allow=[server.url]), server.url)


def test_what_is_sent_beyond_the_length_never_arrives(wire, outside):
    surplus = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
    server = wire.serve(wire.raw(head + surplus, keep=True))
    client = outside(allow=[server.url])
    assert [fetch(client, server.url) for _ in range(3)] == [b"abc"] * 3
    assert server.connections == 3


def test_reset_connection_is_a_problem(wire, outside):
    server = wire.serve(wire.reset)
    with pytest.raises(UpstreamProblem):
        fetch(outside(allow=[server.url]), server.url)


def test_nobody_listening_is_unreachable(outside, closed_port):
    url = f"http://127.0.0.1:{closed_port}"
    with pytest.raises(UnreachableProblem) as raised:
        fetch(outside(allow=[url]), f"{url}/x?signature=secret")
    assert f"{url}/x" in raised.value.detail
    assert "secret" not in raised.value.detail


def test_source_with_an_unsigned_certificate_is_not_trusted(
    wire, outside, tls, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = wire.serve(wire.reply(200, b"secret"), tls=tls)
    with pytest.raises(UnreachableProblem, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(outside(allow=[server.url]), server.url)
    assert server.requests == []


def test_plain_http_behind_https_is_unreachable(wire, outside):
    server = wire.serve(wire.reply(200))
    url = server.url.replace("http:", "https:")
    with pytest.raises((UnreachableProblem, UpstreamTimeoutProblem)):
        fetch(outside(allow=[url], timeout=0.5), url)


# Sources that are slow


@pytest.mark.parametrize("part", ["answer", "head", "body", "informational", "redirect", "failure"])
def test_slow_source_is_given_up_in_time(wire, outside, part):
    turn = {
        "answer": wire.hang,
        "head": wire.drip(b"HTTP/1.1 200 OK\r\nX: ", b"x", every=0.05),
        "body": wire.drip(CHUNKED, b"1\r\nx\r\n", every=0.05),
        "informational": wire.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.01),
        "redirect": wire.drip(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n", b"X: y\r\n", every=0.05),
        "failure": wire.drip(CHUNKED.replace(b"200 OK", b"500 Oh"), b"1\r\nx\r\n", every=0.05),
    }[part]
    server = wire.serve(turn)
    client = outside(allow=[server.url], timeout=0.3, deadline=0.5)
    start = time.monotonic()
    with pytest.raises((UpstreamTimeoutProblem, UpstreamProblem)) as raised:
        fetch(client, server.url)
    assert isinstance(raised.value, UpstreamProblem) == (part == "failure")
    assert time.monotonic() - start < 1.0


def test_body_may_take_longer_than_the_answer(wire, outside):
    def turn(connection):
        connection.sendall(CHUNKED)
        for _ in range(8):
            connection.sendall(b"1\r\nx\r\n")
            time.sleep(0.1)
        connection.sendall(b"0\r\n\r\n")

    server = wire.serve(turn)
    assert fetch(outside(allow=[server.url], timeout=0.4), server.url) == b"x" * 8


def test_deadline_is_for_all_hops_together(wire, outside):
    def turn(connection):
        time.sleep(0.2)
        return wire.reply(302, Location="/x")(connection)

    server = wire.serve(turn)
    client = outside(allow=[server.url], deadline=0.5, max_redirects=100)
    with pytest.raises(UpstreamTimeoutProblem):
        fetch(client, server.url)
    assert len(server.requests) == 3


def test_stream_left_unread_does_not_hold_its_connection(wire, outside):
    server = wire.serve(wire.drip(CHUNKED, b"10000\r\n" + b" " * 0x10000 + b"\r\n", every=0))
    client = outside(allow=[server.url])
    for _ in range(130):
        with client.stream(server.url):
            pass
    assert server.connections == 130
