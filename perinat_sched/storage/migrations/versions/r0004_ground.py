"""Places that were lost when the ground moved: a site's, or the bridge's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("bridge_lost", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("participations", sa.Column("lost", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("participations", sa.Column("lost_room", sa.String(length=40)))


def downgrade() -> None:
    op.drop_column("participations", "lost_room")
    op.drop_column("participations", "lost")
    op.drop_column("sessions", "bridge_lost")
