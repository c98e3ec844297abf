"""Progress of jobs in steps, when they began, and which of them have the same to do."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("steps", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("steps_total", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("began_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("digest", sa.String(64), nullable=True))


def downgrade() -> None:
    for name in ("digest", "began_at", "steps_total", "steps"):
        op.drop_column("jobs", name)
