"""Tables of the alarm history; how they came to be is in :mod:`ocs.migrations`."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, SmallInteger, String, Table, Text

from ocs.sql import METADATA

# SQLite counts rows by itself in a column of this type alone.
_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")

# One row for each change, but for repeats, which move counters only. Times are ms since 1970 UTC: ``at_ms`` is when we
# took it, ``device_ms`` the device's own. The operator's columns say who acted last, if it was an operator's deed.
ALARM_CHANGE: Final = Table(
    "alarm_change",
    METADATA,
    Column("change_number", _NUMBER, primary_key=True, autoincrement=True),
    Column("change_id", String(100), nullable=False, unique=True),
    Column("alarm_id", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("device_ms", BigInteger, nullable=False),
    Column("resource", Text, nullable=False),
    Column("alarm_type", Text, nullable=False),
    Column("qualifier", Text, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("is_cleared", Boolean, nullable=False),
    Column("event_type", SmallInteger, nullable=False),
    Column("probable_cause", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("occurrences", BigInteger, nullable=False),
    Column("root_cause", String(16), nullable=False),
    Column("suppression", String(16), nullable=False),
    Column("is_notified", Boolean, nullable=False),
    Column("operator", Text, nullable=False),
    Column("operator_state", SmallInteger, nullable=False),
    Column("operator_text", Text, nullable=False),
    Column("assigned_to", Text, nullable=False),
    Index("ix_alarm_change_alarm_id_change_number", "alarm_id", "change_number"),
    Index("ix_alarm_change_at_ms", "at_ms"),
    Index("ix_alarm_change_resource_at_ms", "resource", "at_ms"),
)

# One row from a raise to its end: a clear, or a purge. ``severity`` is the worst that it had; ``services`` those that
# it affected, one a line.
ALARM_EPISODE: Final = Table(
    "alarm_episode",
    METADATA,
    Column("episode_number", _NUMBER, primary_key=True, autoincrement=True),
    Column("alarm_id", String(16), nullable=False),
    Column("resource", Text, nullable=False),
    Column("alarm_type", Text, nullable=False),
    Column("qualifier", Text, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("is_symptom", Boolean, nullable=False),
    Column("services", Text, nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
    Column("acknowledged_ms", BigInteger, nullable=True),
    Column("acknowledged_by", Text, nullable=False),
    Column("ended_ms", BigInteger, nullable=True),
    Column("is_purged", Boolean, nullable=False),
    Index("ix_alarm_episode_alarm_id_ended_ms", "alarm_id", "ended_ms"),
    Index("ix_alarm_episode_raised_ms", "raised_ms"),
    Index("ix_alarm_episode_ended_ms", "ended_ms"),
)
