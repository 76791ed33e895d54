"""Tables of orders; how they came to be is in :mod:`ocs.migrations`.

An order's items are transactions: its id is their batch's, and an item's place there follows from its place in the
order. How far it has come is never written: it follows from them.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text

from ocs.sql import METADATA

# ``content`` is JSON, as the client wrote it and as it was patched.
SERVICE_ORDER: Final = Table(
    "service_order",
    METADATA,
    Column("order_id", String(32), primary_key=True),
    Column("external_id", String(200), nullable=False),
    Column("content", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_service_order_external_id", "external_id"),
    Index("ix_service_order_created_ms", "created_ms"),
)

# ``state`` is ``done`` or ``terminatedWithError``: nothing of the order could be cancelled any more.
SERVICE_ORDER_CANCELLATION: Final = Table(
    "service_order_cancellation",
    METADATA,
    Column("cancellation_id", String(32), primary_key=True),
    Column("order_id", String(32), ForeignKey("service_order.order_id", ondelete="CASCADE"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(32), nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Index("ix_service_order_cancellation_order_id", "order_id"),
)
