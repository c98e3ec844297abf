"""What is there when a consumer's contract is proved."""

from __future__ import annotations

from uuid import UUID, uuid4

from flask import Flask

from glassware.db import now
from glassware_auth.models import User, db


def given(app: Flask, caller: str) -> dict[str, str]:
    """Make the account of the caller, and one of somebody else."""
    other = uuid4()
    with app.app_context():
        db.session.add_all(
            User(id=id, email=f"{id}@example.org", name="A", password_hash="", activated_at=now())
            for id in (UUID(caller), other)
        )
        db.session.commit()
    return {"user": str(other)}
