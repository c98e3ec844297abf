"""Carries the ids of jobs to the workers of all hosts: Dramatiq over Redis or RabbitMQ.

The table stays the truth. A message only says that a job is there: where it is lost, the next look
into the table finds the job; where it comes twice, the job is claimed once.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from dramatiq import Broker, Message, Worker, actor

from glassware.config import ConfigError
from glassware.observe.logging import event

ACTOR = "job"
#: Seconds to wait for the broker, and seconds for which one that failed is left alone.
PATIENCE, PAUSE = 1.0, 5.0
#: Milliseconds between two looks at the broker, of those that have to be asked.
LOOK = 200
#: Milliseconds for the receiving threads to end.
FAREWELL = 5_000

log = logging.getLogger(__name__)


class Carrier:
    """The queue of a service's messages at the broker. Nothing is sent before it is needed."""

    def __init__(self, url: str, service: str) -> None:
        self.broker = broker(url)
        self.queue = f"glassware-{service}"
        self.broker.declare_queue(self.queue)
        self._asleep_until = -math.inf

    def send(self, id: UUID) -> None:
        """Tell the workers of a job; while the broker is away, they find it by themselves."""
        if time.monotonic() < self._asleep_until:
            return
        message = Message[None](self.queue, ACTOR, (str(id),), {}, {})
        try:
            # Dramatiq dials RabbitMQ six times, unless it has not been able to before.
            getattr(self.broker, "connection", None)
            self.broker.enqueue(message)
        except Exception as error:  # whatever the broker does, the job is there
            self._asleep_until = time.monotonic() + PAUSE
            event(
                log,
                "job_not_carried",
                level=logging.ERROR,
                job=str(id),
                kind=type(error).__name__,
            )

    @contextmanager
    def received(self, hand: Callable[[UUID], None]) -> Iterator[None]:
        """Hand over the id in each message that comes within the block."""

        @actor(actor_name=ACTOR, queue_name=self.queue, broker=self.broker)
        def take(id: str) -> None:
            hand(UUID(id))

        worker = Worker(self.broker, worker_threads=1, worker_timeout=LOOK)
        worker.start()
        try:
            yield
        finally:
            worker.stop(FAREWELL)
            del self.broker.actors[take.actor_name]


def broker(url: str) -> Broker:
    """Return the broker at the URL; it is not asked yet. Raises ConfigError.

    It has no middleware: the row says how often and for how long a job is tried.
    """
    scheme = url.partition("://")[0]
    try:
        return BROKERS[scheme](url)
    except (KeyError, ValueError):
        raise ConfigError(
            "jobs.broker must be the URL of a Redis (redis://host/0) or a RabbitMQ (amqp://host/)"
        ) from None


def redis(url: str) -> Broker:
    from dramatiq.brokers.redis import RedisBroker
    from redis import Redis

    waits = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), PATIENCE)
    client = Redis.from_url(url.replace("redis+unix:", "unix:", 1), **waits)
    return RedisBroker(client=client, namespace="glassware", middleware=[])


def rabbitmq(url: str) -> Broker:
    from dramatiq.brokers.rabbitmq import RabbitmqBroker

    # Unconfirmed, what goes into a connection just lost would not be noticed.
    found = RabbitmqBroker(url=url, confirm_delivery=True, middleware=[])
    waits = ("socket_timeout", "stack_timeout", "blocked_connection_timeout")
    for name, value in {"connection_attempts": 1, **dict.fromkeys(waits, PATIENCE)}.items():
        setattr(found.parameters, name, value)
    return found


BROKERS = {
    "redis": redis,
    "rediss": redis,
    "redis+unix": redis,
    "amqp": rabbitmq,
    "amqps": rabbitmq,
}
