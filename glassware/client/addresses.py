"""Which addresses the outside begins at: the rules of the guard against server-side forgery.

A URL that a caller chose may name our own network: by number, by a name that resolves to it, by
an IPv6 address that an IPv4 one is wrapped in. What may be fetched is therefore said positively.
Sources: the IANA special-purpose address registries; OWASP, "Server-Side Request Forgery".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

import httpx2

from glassware.client.transports.bearer import origin
from glassware.client.transports.network import is_address
from glassware.problems import InvalidProblem

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Net = ipaddress.IPv4Network | ipaddress.IPv6Network

#: The only IPv6 block with addresses of the public Internet. Outside of it are, among others,
#: those that wrap an IPv4 address: ::/96, ::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48.
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

#: What ``is_global`` lets pass in some release of Python, though it is not the public Internet.
REFUSED: tuple[Net, ...] = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8",  # this network
        "100.64.0.0/10",  # shared between a carrier's customers
        "169.254.0.0/16",  # link-local, the clouds' metadata among them
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # protocol assignments; Teredo wraps an IPv4 address
        "2002::/16",  # 6to4 wraps an IPv4 address
        "3fff::/20",  # documentation
    )
)

LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
HOST = re.compile(rf"{LABEL}(\.{LABEL})*", re.ASCII)
#: A last label of this form makes the system's resolver read the host as a number (inet_aton).
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class BlockedAddressProblem(InvalidProblem):
    """The URL leads to an address that the service does not fetch from."""

    title, slug = "Address not allowed", "blocked-address"
    advice = "Give an http or https URL of a public host, without credentials, on a usual port."


class Rules:
    """What may be fetched: public addresses on some ports, and what is allowed besides.

    ``allow`` holds origins (``http://10.0.0.7:7003``: that host on that port), host names (on the
    usual ports, whatever they resolve to), and addresses or networks in CIDR notation (on the
    usual ports). Raises ``ValueError`` for an entry that is none of these.
    """

    def __init__(self, ports: Iterable[int], allow: Iterable[str]) -> None:
        self._ports = frozenset(ports)
        self._origins: set[tuple[str, int | None]] = set()
        self._hosts: set[str] = set()
        self._networks: list[Net] = []
        for entry in allow:
            self._allow(entry)

    def _allow(self, entry: str) -> None:
        if "://" in entry:
            self._origins.add(parsed_origin(entry))
        elif HOST.fullmatch(entry.lower()) and not is_number(entry.lower()):
            self._hosts.add(entry.lower())
        else:
            self._networks.append(ipaddress.ip_network(entry))

    def target(self, text: str) -> httpx2.URL:
        """Return the URL, ready to be fetched; raise ``BlockedAddressProblem`` otherwise."""
        try:
            url = httpx2.URL(text)
        except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise BlockedAddressProblem("The address is not a URL.") from error
        if fault := self._fault(url):
            raise BlockedAddressProblem(f"The address {fault}.")
        return url.copy_with(fragment=None) if url.fragment else url

    def _fault(self, url: httpx2.URL) -> str:
        scheme, host, port = origin(url)
        if scheme not in ("http", "https"):
            return "is not an http or https URL"
        if url.userinfo:
            return "has credentials in it"
        if not is_host(host):
            return "has a host that is neither a name nor an IP address in its usual form"
        if port not in self._ports and (host, port) not in self._origins:
            return f"has a port that is not one of {', '.join(map(str, sorted(self._ports)))}"
        if is_address(host):
            self.check(host, port or 0, [host])
        return ""

    def check(self, host: str, port: int, addresses: Sequence[str]) -> None:
        """Raise ``BlockedAddressProblem`` unless each address of the host may be dialled.

        Which address it was is not said: that would let a caller map the network inside.
        """
        if host in self._hosts or (host, port) in self._origins:
            return
        if not all(self._permitted(ipaddress.ip_address(address)) for address in addresses):
            raise BlockedAddressProblem(f"{host} is not on the public Internet.")

    def _permitted(self, address: Address) -> bool:
        return is_public(address) or any(address in net for net in self._networks)


def parsed_origin(text: str) -> tuple[str, int | None]:
    """Return host and port of a URL; raise ``ValueError`` for what is none."""
    try:
        _, host, port = origin(httpx2.URL(text))
    except httpx2.InvalidURL as error:
        raise ValueError(f"{text!r} is not a URL") from error
    if not is_host(host):
        raise ValueError(f"{text!r} has no host")
    return host, port


def is_public(address: Address) -> bool:
    """Return whether the address is one of a single host on the public Internet."""
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    refused = any(address in net for net in REFUSED)
    return address.is_global and not address.is_multicast and not refused


def is_host(host: str) -> bool:
    """Return whether the host is a name of letters, digits and hyphens, or a plain IP address."""
    if is_address(host):
        return "%" not in host
    return len(host) <= 253 and bool(HOST.fullmatch(host)) and not is_number(host)


def is_number(host: str) -> bool:
    """Return whether a resolver may read the host as a number: decimal, octal, hexadecimal."""
    return bool(NUMBER.fullmatch(host.rpartition(".")[2]))
