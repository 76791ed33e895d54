"""Drift of network elements from what services want, and backups of their configurations."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "configuration_drift",
        sa.Column("element", sa.String(255), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=True),
        sa.Column("found", sa.Text(), nullable=True),
        sa.Column("services", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("action", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("element", "path", name="pk_configuration_drift"),
    )
    op.create_table(
        "configuration_look",
        sa.Column("element", sa.String(255), nullable=False),
        sa.Column("looked_ms", sa.BigInteger(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("element", name="pk_configuration_look"),
    )
    op.create_table(
        "configuration_content",
        sa.Column("content_hash", sa.String(40), nullable=False),
        sa.Column("paths", sa.LargeBinary(), nullable=False),
        sa.Column("native", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("content_hash", name="pk_configuration_content"),
    )
    op.create_table(
        "configuration_backup",
        sa.Column("element", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.String(40), nullable=False),
        sa.Column("taken_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("element", "version", name="pk_configuration_backup"),
        sa.ForeignKeyConstraint(
            ["content_hash"],
            ["configuration_content.content_hash"],
            name="fk_configuration_backup_content_hash",
        ),
    )
    op.create_index("ix_configuration_backup_content_hash", "configuration_backup", ["content_hash"])
