"""What waits for a reader, or is on its way, is found by an index alone, however many mails the reader has had."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_notices_recipient_due_at", "notices")
    op.create_index("ix_notices_recipient_state_try_at", "notices", ["recipient", "state", "try_at"])


def downgrade() -> None:
    op.drop_index("ix_notices_recipient_state_try_at", "notices")
    op.create_index("ix_notices_recipient_due_at", "notices", ["recipient", "due_at"])
