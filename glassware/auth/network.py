"""Where a caller comes from: the policy that goes by it, and whom an address stands for."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, ip_network

from glassware.auth.policy import Policy
from glassware.auth.principal import Principal
from glassware.config.networks import address_of


def network(option: str) -> Policy:
    """The request comes from a network that the option lists: ``network("metrics.allow")``.

    Combine it as ``network("admin.networks") & scope("admin")``. The option is one of type
    Networks. Outside of them the answer is a 403, with whatever token.
    """

    def inside(who: Principal) -> bool:
        return option in who.networks

    return Policy(
        f"network {option}",
        lambda who, _item: inside(who),
        networks=frozenset({option}),
        reaches=inside,
    )


@lru_cache(1024)
def network_of(address: str | None) -> str:
    """Return what the caller's provider gives to one customer: an IPv4 address, an IPv6 /64.

    "local" where there is none: a Unix socket, or a proxy that does not know either.
    """
    found = address_of((address or "").partition("%")[0])
    if found is None or isinstance(found, IPv4Address):
        return "local" if found is None else str(found)
    return str(ip_network((found, 64), strict=False))
