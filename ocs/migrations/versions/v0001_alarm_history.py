"""Alarm history: every change once, and the episodes from raise to end that reports are made of."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "alarm_change",
        sa.Column("change_number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("change_id", sa.String(100), nullable=False),
        sa.Column("alarm_id", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("device_ms", sa.BigInteger(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("alarm_type", sa.Text(), nullable=False),
        sa.Column("qualifier", sa.Text(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("is_cleared", sa.Boolean(), nullable=False),
        sa.Column("event_type", sa.SmallInteger(), nullable=False),
        sa.Column("probable_cause", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("occurrences", sa.BigInteger(), nullable=False),
        sa.Column("root_cause", sa.String(16), nullable=False),
        sa.Column("suppression", sa.String(16), nullable=False),
        sa.Column("is_notified", sa.Boolean(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("operator_state", sa.SmallInteger(), nullable=False),
        sa.Column("operator_text", sa.Text(), nullable=False),
        sa.Column("assigned_to", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("change_number", name="pk_alarm_change"),
        sa.UniqueConstraint("change_id", name="uq_alarm_change_change_id"),
    )
    op.create_index("ix_alarm_change_alarm_id_change_number", "alarm_change", ["alarm_id", "change_number"])
    op.create_index("ix_alarm_change_at_ms", "alarm_change", ["at_ms"])
    op.create_index("ix_alarm_change_resource_at_ms", "alarm_change", ["resource", "at_ms"])
    op.create_table(
        "alarm_episode",
        sa.Column("episode_number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("alarm_id", sa.String(16), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("alarm_type", sa.Text(), nullable=False),
        sa.Column("qualifier", sa.Text(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("is_symptom", sa.Boolean(), nullable=False),
        sa.Column("services", sa.Text(), nullable=False),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_ms", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("is_purged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("episode_number", name="pk_alarm_episode"),
    )
    op.create_index("ix_alarm_episode_alarm_id_ended_ms", "alarm_episode", ["alarm_id", "ended_ms"])
    op.create_index("ix_alarm_episode_raised_ms", "alarm_episode", ["raised_ms"])
    op.create_index("ix_alarm_episode_ended_ms", "alarm_episode", ["ended_ms"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("alarm_episode")
    op.drop_table("alarm_change")
