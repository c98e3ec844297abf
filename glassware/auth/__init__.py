"""Who calls, and what they may do: principals, policies, tokens, and the issuer's keys."""

from glassware.auth.network import network
from glassware.auth.policy import Policy, authenticated, owner, public, scope
from glassware.auth.principal import ANONYMOUS, Principal

__all__ = [
    "ANONYMOUS",
    "Policy",
    "Principal",
    "authenticated",
    "network",
    "owner",
    "public",
    "scope",
]
