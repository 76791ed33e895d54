"""Orders for services (TMF641), and what was cancelled of them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "service_order",
        sa.Column("order_id", sa.String(32), nullable=False),
        sa.Column("external_id", sa.String(200), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_service_order"),
    )
    op.create_index("ix_service_order_external_id", "service_order", ["external_id"])
    op.create_index("ix_service_order_created_ms", "service_order", ["created_ms"])
    op.create_table(
        "service_order_cancellation",
        sa.Column("cancellation_id", sa.String(32), nullable=False),
        sa.Column("order_id", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cancellation_id", name="pk_service_order_cancellation"),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["service_order.order_id"],
            ondelete="CASCADE",
            name="fk_service_order_cancellation_order_id_service_order",
        ),
    )
    op.create_index("ix_service_order_cancellation_order_id", "service_order_cancellation", ["order_id"])
