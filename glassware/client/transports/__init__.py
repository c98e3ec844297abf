"""The seam of the client: each behaviour is a transport around another, the innermost one sends.

``Retry(Deadline(Trace(Bearer(Breaker(Meter(Network))))))`` is what a client calls a sibling with;
in one process ``WSGITransport(app)`` takes the place of the network.
"""

from __future__ import annotations

from glassware.client.transports.bearer import BearerTransport
from glassware.client.transports.breaker import BreakerTransport
from glassware.client.transports.deadline import ENDS, DeadlineTransport
from glassware.client.transports.meter import MeterTransport
from glassware.client.transports.network import Deadline, Network, NetworkTransport
from glassware.client.transports.retry import Budget, RetryTransport
from glassware.client.transports.trace import TraceTransport
from glassware.client.transports.wsgi import WSGITransport

__all__ = [
    "ENDS",
    "BearerTransport",
    "BreakerTransport",
    "Budget",
    "Deadline",
    "DeadlineTransport",
    "MeterTransport",
    "Network",
    "NetworkTransport",
    "RetryTransport",
    "TraceTransport",
    "WSGITransport",
]
