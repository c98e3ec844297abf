"""What the service is exposed to: the networks it listens on, and the names it goes by."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from werkzeug.sansio.utils import host_is_trusted

from glassware.cli.doctor.case import Case


def symptom_it_listens_publicly_without_tls(case: Case) -> Iterator[str]:
    """The service listens on a network, and no TLS seems to be ahead of it.

    It speaks plain HTTP: tokens and passwords could be read on the way. Listen on 127.0.0.1 behind
    a web server with TLS (deploy/nginx/glassware.conf), and set service.public_url to its https
    URL.
    """
    if listens_publicly(case) and urlsplit(case.config["service.public_url"]).scheme != "https":
        shown = case.config["service.public_url"] or "not set"
        yield f"server.host is {case.config['server.host']}, service.public_url is {shown}"


def symptom_it_goes_by_any_name(case: Case) -> Iterator[str]:
    """The service is public, and has no public URL.

    The links in its answers are then made of what each caller wrote into the Host header. Set
    service.public_url.
    """
    names = [name for name in case.config["server.trusted_hosts"] if not is_local(name)]
    if not case.config["service.public_url"] and (names or listens_publicly(case)):
        yield f"service.public_url is not set, and it answers for {', '.join(names) or 'a network'}"


def symptom_its_public_name_is_refused(case: Case) -> Iterator[str]:
    """The service does not answer for the host name of its own public URL.

    Callers who use the links in its answers get a 421. Add the name to server.trusted_hosts.
    """
    url, trusted = case.config["service.public_url"], case.config["server.trusted_hosts"]
    if url and not host_is_trusted(urlsplit(url).netloc, trusted):
        yield f"{urlsplit(url).netloc} is not in server.trusted_hosts: {', '.join(trusted)}"


def symptom_development_is_exposed(case: Case) -> Iterator[str]:
    """The service runs in mode development, and others can reach it.

    Then anybody may register and is activated at once, and secrets are generated ones. Set
    service.mode to production.
    """
    public = case.config["service.public_url"]
    if case.config.development and (listens_publicly(case) or not is_local(host_of(public))):
        yield f"server.host is {case.config['server.host']}" + (f", called {public}" * bool(public))


def symptom_tokens_travel_in_the_clear(case: Case) -> Iterator[str]:
    """A neighbour on another machine is spoken to without TLS.

    Whoever is on the way reads the tokens, and may give us keys of their own. Use its https URL.
    """
    names = [f"siblings.{name}" for name in case.service.siblings]
    for name in [*names, *(["auth.issuer", "auth.jwks_url"] if case.verifies else [])]:
        url = case.config[name]
        if urlsplit(url).scheme == "http" and not is_local(host_of(url)):
            yield f"{name} is {url}"


def symptom_the_metrics_are_public(case: Case) -> Iterator[str]:
    """Everybody may read /metrics.

    It tells what the service is used for, how much, and how it fails. Name the networks of the
    monitoring in metrics.allow.
    """
    for network in case.config["metrics.allow"]:
        if ip_network(str(network), strict=False).prefixlen == 0:
            yield f"metrics.allow has {network}"


def listens_publicly(case: Case) -> bool:
    return not is_local(case.config["server.host"])


def host_of(url: str) -> str:
    return urlsplit(url).hostname or "localhost"


def is_local(host: str) -> bool:
    """Whether the name or address, brackets and all, is this machine's own."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
