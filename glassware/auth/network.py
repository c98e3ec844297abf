"""Networks: whether a caller's address lies in one of those that an operator named."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network


def within(address: str | None, networks: Iterable[str]) -> bool:
    """Return whether the address lies in one of the networks; a mapped IPv4 one counts as IPv4.

    No address at all is a Unix socket, which only who may open it reaches.
    """
    if not address:
        return True
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in ip_network(network) for network in networks)
