"""Transactions of network elements by when they moved: listeners of the APIs are told of those that did."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_provisioning_transaction_changed_ms", "provisioning_transaction", ["changed_ms"])
