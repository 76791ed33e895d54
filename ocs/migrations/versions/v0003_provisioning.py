"""The journal of transactions over network elements, and who owns which part of their configuration."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    _make_journal()
    _make_queue()
    _make_ownership()


def _make_journal() -> None:
    op.create_table(
        "provisioning_transaction",
        sa.Column("transaction_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("work_kind", sa.String(32), nullable=False),
        sa.Column("work_payload", sa.LargeBinary(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("elements", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.String(32), nullable=False),
        sa.Column("batch_place", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("effects", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", name="pk_provisioning_transaction"),
        sa.CheckConstraint(
            "state in ('queued', 'preparing', 'activating', 'decided', 'done', 'rolling-back', 'rolled-back',"
            " 'refused', 'cancelled')",
            name="ck_provisioning_transaction_state",
        ),
    )
    for columns in (["state", "priority"], ["batch_id", "batch_place"], ["created_ms"]):
        name = f"ix_provisioning_transaction_{'_'.join(columns)}"
        op.create_index(name, "provisioning_transaction", columns)
    op.create_table(
        "provisioning_participant",
        sa.Column("transaction_id", sa.String(32), nullable=False),
        sa.Column("element", sa.String(255), nullable=False),
        sa.Column("forward", sa.LargeBinary(), nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=True),
        sa.Column("is_settled", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", "element", name="pk_provisioning_participant"),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["provisioning_transaction.transaction_id"],
            name="fk_provisioning_participant_transaction_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_provisioning_participant_element", "provisioning_participant", ["element"])


def _make_queue() -> None:
    op.create_table(
        "provisioning_batch",
        sa.Column("batch_id", sa.String(32), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("canaries", sa.Integer(), nullable=False),
        sa.Column("failures_max", sa.Integer(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name="pk_provisioning_batch"),
    )
    op.create_table(
        "provisioning_lease",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_provisioning_lease"),
    )


def _make_ownership() -> None:
    op.create_table(
        "configuration_owner",
        sa.Column("element", sa.String(255), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("service_id", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("element", "path", "service_id", name="pk_configuration_owner"),
    )
    op.create_index("ix_configuration_owner_service_id", "configuration_owner", ["service_id"])
    op.create_table(
        "configuration_original",
        sa.Column("element", sa.String(255), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("element", "path", name="pk_configuration_original"),
    )
