"""Tables of drift and backups; how they came to be is in :mod:`ocs.migrations`."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from ocs.sql import METADATA

# What differs now. ``place`` is the owned path that it is about, ``services`` are ids, one a line, ``who`` changed it,
# as far as the element told.
DRIFT: Final = Table(
    "configuration_drift",
    METADATA,
    Column("element", String(255), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("place", Text, nullable=False),
    Column("wanted", Text, nullable=True),
    Column("found", Text, nullable=True),
    Column("services", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", String(8), nullable=False),
)

# When an element was last compared as a whole, and what the alarm list was told last; empty: that all is well.
LOOK: Final = Table(
    "configuration_look",
    METADATA,
    Column("element", String(255), primary_key=True),
    Column("looked_ms", BigInteger, nullable=False),
    Column("trouble", Text, nullable=False),
    Column("told", Text, nullable=False),
)

# Equal configurations are kept once; compressed.
BACKUP_CONTENT: Final = Table(
    "configuration_content",
    METADATA,
    Column("content_hash", String(40), primary_key=True),
    Column("paths", LargeBinary, nullable=False),
    Column("native", LargeBinary, nullable=False),
)

# ``version`` counts an element's backups. ``seen_ms``: when it was last found unchanged.
BACKUP: Final = Table(
    "configuration_backup",
    METADATA,
    Column("element", String(255), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column(
        "content_hash",
        String(40),
        ForeignKey("configuration_content.content_hash", name="fk_configuration_backup_content_hash"),
        nullable=False,
    ),
    Column("taken_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Index("ix_configuration_backup_content_hash", "content_hash"),
)
