"""Clients' signing keys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("clients") as clients:
        clients.add_column(sa.Column("signing_key", sa.String(43), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("clients") as clients:
        clients.drop_column("signing_key")
