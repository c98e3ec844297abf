"""Calls to other services: siblings by ``Client``, foreign addresses by ``outside_client``."""

from __future__ import annotations

from glassware.client.addresses import BlockedAddressProblem
from glassware.client.answers import Answer
from glassware.client.client import Client, Reply
from glassware.client.delegation import Acting, Delegate
from glassware.client.guard import OutsideClient, outside_client
from glassware.client.transports.tether import CutError, Tether
from glassware.client.watch import Watch

__all__ = [
    "Acting",
    "Answer",
    "BlockedAddressProblem",
    "Client",
    "CutError",
    "Delegate",
    "OutsideClient",
    "Reply",
    "Tether",
    "Watch",
    "outside_client",
]
