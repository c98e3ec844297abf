"""An address lies in a network, or does not, as the standard library says; what is no address lies
in none."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glassware.config import ConfigError, Option
from glassware.config.networks import Networks

MAPPED = 0xFFFF << 32
V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).filter(lambda each: each >> 32 != 0xFFFF).map(IPv6Address)


@st.composite
def network(draw: Any, address: IPv4Address | IPv6Address) -> IPv4Network | IPv6Network:
    """A network of any size around the address, or around one a bit away from it."""
    length = address.max_prefixlen
    near = int(address) ^ draw(st.sampled_from([0, *(1 << bit for bit in range(length))]))
    prefix = draw(st.integers(0, length))
    kind = IPv4Network if length == 32 else IPv6Network
    return kind((near, prefix), strict=False)


def spellings(address: IPv4Address) -> list[str]:
    """Return the ways to write an IPv4 address, IPv6's among them."""
    mapped = IPv6Address(MAPPED | int(address))
    return [str(address), f"::ffff:{address}", str(mapped), mapped.exploded, str(mapped).upper()]


@settings(max_examples=1000)
@given(data=st.data())
def test_an_ipv4_address_is_one_in_any_spelling_and_in_any_network(data: Any) -> None:
    address = data.draw(V4)
    others = data.draw(st.lists(V4.flatmap(network) | V6.flatmap(network), max_size=2))
    nets = [data.draw(network(address)), *others]
    inside = any(address in net for net in nets if net.version == 4)
    assert [Networks.of(map(str, nets)).hold(text) for text in spellings(address)] == [inside] * 5


@settings(max_examples=500)
@given(data=st.data())
def test_an_ipv6_address_lies_where_the_standard_library_says(data: Any) -> None:
    address = data.draw(V6)
    nets = [data.draw(network(address)), *data.draw(st.lists(V4.flatmap(network), max_size=1))]
    inside = any(address in net for net in nets if net.version == 6)
    held = Networks.of(map(str, nets))
    assert held.hold(str(address)) == held.hold(address.exploded) == inside


@given(data=st.data())
def test_a_network_of_mapped_addresses_is_the_ipv4_network(data: Any) -> None:
    address = data.draw(V4)
    plain = data.draw(network(address))
    mapped = f"{IPv6Address(MAPPED | int(plain.network_address))}/{plain.prefixlen + 96}"
    assert Networks.of([mapped]) == Networks.of([str(plain)]) == (plain,)


@given(address=V6, zone=st.sampled_from(["1", "eth0", "%", "0"]))
def test_an_address_with_a_zone_lies_nowhere(address: IPv6Address, zone: str) -> None:
    everywhere = Networks.of(["::/0", "0.0.0.0/0"])
    assert everywhere.hold(str(address))
    assert not everywhere.hold(f"{address}%{zone}")


@given(text=st.text(min_size=1))
def test_what_the_standard_library_does_not_read_lies_nowhere(text: str) -> None:
    try:
        ip_network(text)
    except ValueError:
        assert not Networks.of(["::/0", "0.0.0.0/0"]).hold(text)
    else:
        assume(False)


@pytest.mark.parametrize(
    "text",
    [
        "010.0.0.1",
        "10.0.0.01",
        "10.1",
        "167772161",
        "0x0a000001",
        "10.0.0.1 ",
        " 10.0.0.1",
        "10.0.0.1/32",
        "10.0.0.1:80",
        "[::1]",
        "::ffff:010.0.0.1",
        "localhost",
        "unknown",
        "١٠.٠.٠.١",
    ],
)
def test_what_a_resolver_might_read_as_an_address_is_none(text: str) -> None:
    assert not Networks.of(["::/0", "0.0.0.0/0"]).hold(text)


def test_a_prefix_is_one_of_bits_not_of_text() -> None:
    held = Networks.of(["10.1.0.0/16"])
    assert held.hold("10.1.255.255")
    assert not held.hold("10.10.0.1")


def test_a_unix_socket_has_no_address_and_is_let_in() -> None:
    assert Networks.of([]).hold("")
    assert Networks.of([]).hold(None)


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "fe80::%eth0/64", "here", "::/129", "1/8"]
)
def test_what_is_no_network_does_not_boot(places: Any, text: str) -> None:
    option = Option("own.networks", Networks, ["127.0.0.0/8"], "Help.")
    with pytest.raises(ConfigError, match=r"own\.networks must be networks such as 10\.0\.0\.0/8"):
        places.load(options=[option], overrides={"own.networks": f"192.0.2.0/24, {text}"})


def test_networks_are_read_and_shown_as_they_are_written(places: Any) -> None:
    option = Option("own.networks", Networks, ["127.0.0.0/8"], "Help.")
    config = places.load(options=[option], overrides={"own.networks": "192.0.2.0/24\nfd00::/8"})
    assert config["own.networks"].hold("fd00::1")
    shown = {row.name: row.shown for row in config.rows()}
    assert shown["own.networks"] == "192.0.2.0/24, fd00::/8"
    assert places.load(options=[option])["own.networks"].hold("127.0.0.1")
