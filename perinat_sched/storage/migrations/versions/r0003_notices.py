"""Mails: the addresses that want no reminders, and an index that finds the reminders of one reader and minute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unsubscribed",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_unsubscribed"),
    )
    op.create_index("ix_notices_recipient_due_at", "notices", ["recipient", "due_at"])


def downgrade() -> None:
    op.drop_index("ix_notices_recipient_due_at", "notices")
    op.drop_table("unsubscribed")
