"""Clients that act for people, and the sessions they do so by."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ADDED = {"clients": "delegate", "families": "delegated"}


def upgrade() -> None:
    for table, name in ADDED.items():
        with op.batch_alter_table(table) as changed:
            changed.add_column(
                sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
            )
        with op.batch_alter_table(table) as changed:
            changed.alter_column(name, server_default=None)


def downgrade() -> None:
    op.execute("DELETE FROM families WHERE delegated")
    for table, name in ADDED.items():
        with op.batch_alter_table(table) as changed:
            changed.drop_column(name)
