"""Tables of the journal; how they came to be is in :mod:`ocs.migrations`."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from ocs.sql import METADATA

# Times are ms since 1970 UTC; 0: none. ``elements`` are names, one a line: what the queue looks at for conflicts.
TRANSACTION: Final = Table(
    "provisioning_transaction",
    METADATA,
    Column("transaction_id", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("work_kind", String(32), nullable=False),
    Column("work_payload", LargeBinary, nullable=False),
    Column("description", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("elements", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False),
    Column("batch_id", String(32), nullable=False),
    Column("batch_place", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("effects", LargeBinary, nullable=False),
    CheckConstraint(
        "state in ('queued', 'preparing', 'activating', 'decided', 'done', 'rolling-back', 'rolled-back',"
        " 'refused', 'cancelled')",
        name="ck_provisioning_transaction_state",
    ),
    Index("ix_provisioning_transaction_state_priority", "state", "priority"),
    Index("ix_provisioning_transaction_batch_id_batch_place", "batch_id", "batch_place"),
    Index("ix_provisioning_transaction_created_ms", "created_ms"),
    Index("ix_provisioning_transaction_changed_ms", "changed_ms"),
)

PARTICIPANT: Final = Table(
    "provisioning_participant",
    METADATA,
    Column(
        "transaction_id",
        String(32),
        ForeignKey(
            "provisioning_transaction.transaction_id",
            ondelete="CASCADE",
            name="fk_provisioning_participant_transaction_id",  # PostgreSQL's names have 63 octets
        ),
        primary_key=True,
    ),
    Column("element", String(255), primary_key=True),
    Column("forward", LargeBinary, nullable=False),
    Column("before", LargeBinary, nullable=True),
    Column("is_settled", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_provisioning_participant_element", "element"),
)

# Canaries first; failures above the bound cancel what has not begun.
BATCH: Final = Table(
    "provisioning_batch",
    METADATA,
    Column("batch_id", String(32), primary_key=True),
    Column("description", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("canaries", Integer, nullable=False),
    Column("failures_max", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

# Who works off the queue. ``fence`` rises with each owner: what an earlier one still writes is refused.
LEASE: Final = Table(
    "provisioning_lease",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False),
)

# Which service owns which part of an element's configuration, and what stood there before the first one.
OWNER: Final = Table(
    "configuration_owner",
    METADATA,
    Column("element", String(255), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("service_id", String(64), primary_key=True),
    Column("value", Text, nullable=True),
    Index("ix_configuration_owner_service_id", "service_id"),
)

ORIGINAL: Final = Table(
    "configuration_original",
    METADATA,
    Column("element", String(255), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("value", Text, nullable=True),
)
