"""Networks in CIDR notation, and whether an address lies in one of them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

#: IPv4 as IPv6 writes it (RFC 4291 section 2.5.5.2). It is IPv4 to us, wherever it turns up.
MAPPED = IPv6Network("::ffff:0:0/96")


class Networks(tuple[Network, ...]):
    """Networks, as an option gives them: ``Networks.of(["10.0.0.0/8", "::1/128"])``."""

    __slots__ = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Return the networks. Raises ValueError, which completes "the value ..."."""
        return cls(map(parsed, texts))

    def hold(self, address: str | None) -> bool:
        """Return whether the address lies in one of them; what is no address lies in none.

        No address at all is a Unix socket, which only who may open it reaches.
        """
        if not address:
            return True
        if not self:
            return False
        found = address_of(address)
        return found is not None and any(found in network for network in self)


def address_of(text: str) -> Address | None:
    """Return the address, None for what is none.

    One with a zone ("fe80::1%eth0") is none: the zone means something on its own machine only.
    """
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return found
    return None if found.scope_id else found.ipv4_mapped or found


def parsed(text: str) -> Network:
    try:
        found = ip_network("" if "%" in text else text)
    except ValueError:
        raise ValueError("must be networks such as 10.0.0.0/8 or fd00::/8") from None
    if isinstance(found, IPv6Network) and found.subnet_of(MAPPED):
        return IPv4Network((int(found.network_address) & 0xFFFF_FFFF, found.prefixlen - 96))
    return found
