"""{{ cookiecutter.__plural.replace("_", " ") | capitalize }}."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "{{ cookiecutter.__plural }}",
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_{{ cookiecutter.__plural }}"),
    )
    op.create_index("ix_{{ cookiecutter.__plural }}_owner_id", "{{ cookiecutter.__plural }}", ["owner", "id"])


def downgrade() -> None:
    op.drop_table("{{ cookiecutter.__plural }}")
