"""Feeds find the sessions of a site or room by an index alone, in the order of their list."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_participations_site", "participations")
    for place in ("site", "room"):
        name = f"ix_participations_{place}_session_id_answer"
        op.create_index(name, "participations", [place, "session_id", "answer"])


def downgrade() -> None:
    for place in ("site", "room"):
        op.drop_index(f"ix_participations_{place}_session_id_answer", "participations")
    op.create_index("ix_participations_site", "participations", ["site"])
