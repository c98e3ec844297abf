"""Who called is believed from declared proxies and from the web server's socket only."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from glassware.config.networks import Networks
from glassware.limits import BehindProxies
from glassware.limits.proxy import UNKNOWN, caller

PROXIES = Networks.of(["10.0.0.0/24", "fd00::/64"])
IN_PROXIES = st.one_of(
    st.ip_addresses(network="10.0.0.0/24"),
    st.ip_addresses(network="fd00::/64"),
    st.ip_addresses(network="10.0.0.0/24").map(lambda each: f"::ffff:{each}"),
).map(str)
OUTSIDE = st.ip_addresses().map(str).filter(lambda text: not PROXIES.hold(text))
#: What a caller may write: addresses of any kind, of proxies too, and nonsense.
FORGED = st.one_of(
    IN_PROXIES, OUTSIDE, st.sampled_from(["", "unknown", "127.0.0.1", "::1", "localhost", "10.0.0"])
)
ODD = [
    "",
    " ",
    "unknown",
    "_hidden",
    "192.0.2.1:4711",
    "[2001:db8::1]",
    "fe80::1%eth0",
    "010.0.0.1",
]
SPACE = st.sampled_from([",", ", ", " ,", " , "])


@Request.application
def echo(request: Request) -> Response:
    return Response(f"{request.remote_addr} {request.scheme} {request.host}")


def asked(peer: str, proxies: Networks = PROXIES, **headers: str) -> str:
    environ = {"REMOTE_ADDR": peer}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    app = BehindProxies(echo, proxies)
    return Client(app).get("/", headers=named, environ_overrides=environ).text


def plain(text: str) -> str:
    """Return the address as it is written without IPv6's way to write IPv4."""
    address: Any = ip_address(text)
    return str(getattr(address, "ipv4_mapped", None) or address)


@settings(max_examples=300)
@given(
    forged=st.lists(FORGED, max_size=10),
    client=OUTSIDE,
    hops=st.lists(IN_PROXIES, max_size=3),
    peer=IN_PROXIES | st.just(""),
    between=SPACE,
)
def test_behind_any_chain_of_proxies_no_forged_chain_makes_the_caller_another(
    forged: list[str], client: str, hops: list[str], peer: str, between: str
) -> None:
    honest = between.join([client, *hops])
    chain = between.join([*forged, honest])
    assert caller(peer, chain, PROXIES) == caller(peer, honest, PROXIES) == plain(client)


@given(forged=st.lists(FORGED, max_size=10), peer=OUTSIDE)
def test_who_is_no_proxy_is_who_they_are_whatever_they_write(forged: list[str], peer: str) -> None:
    told = asked(peer, X_Forwarded_For=",".join(forged), X_Forwarded_Proto="https")
    assert told == f"{peer} http localhost"


@given(forged=st.lists(FORGED, max_size=10), odd=st.sampled_from(ODD))
def test_a_proxy_that_names_no_address_widens_nothing(forged: list[str], odd: str) -> None:
    assert caller("10.0.0.1", ",".join([*forged, odd]), PROXIES) == UNKNOWN
    assert not Networks.of(["::/0", "0.0.0.0/0"]).hold(UNKNOWN)


@pytest.mark.parametrize("peer", ["", "10.0.0.1", "fd00::5", "::ffff:10.0.0.1"])
def test_the_proxy_says_who_called_and_how(peer: str) -> None:
    told = asked(peer, X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https")
    assert told == "203.0.113.7 https localhost"


def test_a_proxy_that_calls_for_itself_is_the_caller() -> None:
    assert asked("10.0.0.1") == "10.0.0.1 http localhost"
    assert asked("10.0.0.1", X_Forwarded_For="10.0.0.2, 10.0.0.3") == "10.0.0.2 http localhost"


@pytest.mark.parametrize("peer", ["127.0.0.1", "203.0.113.9", "::1", "10.0.1.0", "fd00:0:0:1::"])
def test_without_a_declaration_nobody_on_the_network_is_believed(peer: str) -> None:
    told = asked(peer, X_Forwarded_For="10.0.0.1", X_Forwarded_Proto="https")
    assert told == f"{peer} http localhost"


@pytest.mark.parametrize(
    ("told", "scheme"),
    [("http, https", "https"), ("https, http", "http"), ("HTTPS", "https"), ("ftp", "http")],
)
def test_the_scheme_is_what_the_nearest_proxy_says(told: str, scheme: str) -> None:
    assert asked("10.0.0.1", X_Forwarded_Proto=told) == f"10.0.0.1 {scheme} localhost"


def test_no_header_names_another_host() -> None:
    assert asked("", X_Forwarded_Host="evil.example").endswith(" localhost")


def test_without_a_web_server_a_local_caller_has_no_address() -> None:
    assert asked("") == " http localhost"
