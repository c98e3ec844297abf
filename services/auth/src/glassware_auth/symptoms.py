"""What `manage.py doctor` looks for in this service beside what it looks for in all."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from glassware.cli.doctor import Case
from glassware.problems import UnavailableProblem
from glassware_auth.domain.authority import Authority
from glassware_auth.models import SigningKey


def symptom_signing_keys_cannot_be_opened(case: Case) -> Iterator[str]:
    """The keys that sign tokens were sealed with another auth.key_secret than the present one.

    Nobody can sign in. Put the former secret back, which a restored database needs as well; where
    it is lost, `manage.py keys retire KID` makes a new key.
    """
    found = case.standing
    if case.connection is None or found is None or found.current is None:
        return
    keys = Authority.of(case.config).keys
    with Session(case.connection) as session:
        for row in session.scalars(select(SigningKey).where(SigningKey.private != "")):
            try:
                keys.unseal(row)
            except UnavailableProblem:
                yield f"the key {row.kid}"
