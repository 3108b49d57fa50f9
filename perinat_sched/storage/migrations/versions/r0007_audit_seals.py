"""The seals of the audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("audit_id", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_audit_seals"),
        sa.UniqueConstraint("audit_id", name="uq_audit_seals_audit_id"),
    )


def downgrade() -> None:
    op.drop_table("audit_seals")
