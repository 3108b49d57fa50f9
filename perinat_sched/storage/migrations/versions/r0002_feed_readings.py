"""What each feed's last edition was, who read it last, and the count of changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from perinat_sched.storage import changes

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feed_editions",
        sa.Column("feed", sa.String(length=36), nullable=False),
        sa.Column("variant", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("plain_bytes", sa.Integer(), nullable=False),
        sa.Column("packed_bytes", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed"], ["feeds.id"], name="fk_feed_editions_feed_feeds"),
        sa.PrimaryKeyConstraint("feed", "variant", name="pk_feed_editions"),
    )
    op.create_table(
        "feed_readings",
        sa.Column("feed", sa.String(length=36), nullable=False),
        sa.Column("last_read_at", sa.BigInteger(), nullable=False),
        sa.Column("last_read_by", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["feed"], ["feeds.id"], name="fk_feed_readings_feed_feeds"),
        sa.PrimaryKeyConstraint("feed", name="pk_feed_readings"),
    )
    dialect = op.get_bind().dialect.name
    counting = changes.counting(dialect, "sessions", "tokens", "feeds", "closures")
    for statement in (*changes.creation(dialect), *counting):
        op.execute(statement)


def downgrade() -> None:
    for statement in changes.removal(op.get_bind().dialect.name):
        op.execute(statement)
    op.drop_table("feed_readings")
    op.drop_table("feed_editions")
