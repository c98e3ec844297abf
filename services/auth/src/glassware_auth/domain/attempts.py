"""A limit on failed sign-ins, by account and network together.

By the account alone, anybody could lock its owner out; by the network alone, one guesser would lock
out a whole office. An attempt is counted before the password is looked at, so a burst of parallel
guesses gets no further than a row of them.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from glassware.config import Config
from glassware.db import now
from glassware.problems import TooManyRequestsProblem
from glassware_auth.domain.digests import digest
from glassware_auth.models import Attempt, db


def begin(config: Config, account: str, network: str) -> Attempt:
    """Count an attempt, which stays a failure until it is forgiven. Commits.

    Raises TooManyRequestsProblem with Retry-After.
    """
    window = timedelta(seconds=config["auth.failures_window"])
    moment = now()
    db.session.execute(delete(Attempt).where(Attempt.at <= moment - window))
    attempt = Attempt(
        account=digest(config["auth.key_secret"], "attempts", account), network=network, at=moment
    )
    db.session.add(attempt)
    db.session.commit()
    same = select(Attempt).filter_by(account=attempt.account, network=network)
    begun = db.session.scalars(same.order_by(Attempt.at)).all()
    if len(begun) <= config["auth.failures"]:
        return attempt
    # Not counted, or a client that goes on trying would never be let in again.
    db.session.execute(delete(Attempt).filter_by(id=attempt.id))
    db.session.commit()
    wait = (begun[0].at + window - moment).total_seconds()
    raise TooManyRequestsProblem(
        "Too many failed attempts to sign in to this account from this network.",
        headers={"Retry-After": str(max(1, round(wait + 0.5)))},
    )


def forgive(attempt: Attempt) -> None:
    """Forget the account's failures from this network: the password was right. Commits."""
    db.session.execute(delete(Attempt).filter_by(account=attempt.account, network=attempt.network))
    db.session.commit()
