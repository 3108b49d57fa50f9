"""Series: what they are asked for, the dates left out, and which sessions are their occurrences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from perinat_sched.storage import changes

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("uid", sa.String(length=100), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("host_site", sa.String(length=40), nullable=False),
        sa.Column("wall_start", sa.String(length=16), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("fold", sa.Integer(), nullable=True),
        sa.Column("duration_minutes", sa.Integer(), nullable=False),
        sa.Column("required_sites", sa.JSON(), nullable=False),
        sa.Column("optional_sites", sa.JSON(), nullable=False),
        sa.Column("rooms", sa.JSON(), nullable=False),
        sa.Column("join_url", sa.Text(), nullable=True),
        sa.Column("access_code", sa.Text(), nullable=True),
        sa.Column("override_reason", sa.Text(), nullable=True),
        sa.Column("rrule", sa.Text(), nullable=True),
        sa.Column("dates", sa.JSON(), nullable=False),
        sa.Column("exclude", sa.JSON(), nullable=False),
        sa.Column("exclude_holidays_of", sa.JSON(), nullable=False),
        sa.Column("on_conflict", sa.String(length=10), nullable=False),
        sa.Column("override", sa.JSON(), nullable=False),
        sa.Column("follows", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
    )
    op.create_index("ix_series_wall_start_id", "series", ["wall_start", "id"])
    op.create_table(
        "left_out",
        sa.Column("series_id", sa.String(length=36), nullable=False),
        sa.Column("recurrence_id", sa.String(length=16), nullable=False),
        sa.Column("conflicts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name="fk_left_out_series_id_series"),
        sa.PrimaryKeyConstraint("series_id", "recurrence_id", name="pk_left_out"),
    )
    op.add_column("sessions", sa.Column("series", sa.String(length=36), nullable=True))
    op.add_column("sessions", sa.Column("recurrence_id", sa.String(length=16), nullable=True))
    op.create_index("ix_sessions_series", "sessions", ["series"])
    op.add_column("notices", sa.Column("bundle", sa.String(length=200), nullable=True))
    op.create_index("ix_notices_bundle", "notices", ["bundle"])
    for statement in changes.counting(op.get_bind().dialect.name, "series"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_index("ix_notices_bundle", "notices")
    op.drop_column("notices", "bundle")
    op.drop_index("ix_sessions_series", "sessions")
    op.drop_column("sessions", "recurrence_id")
    op.drop_column("sessions", "series")
    op.drop_table("left_out")
    op.drop_table("series")
