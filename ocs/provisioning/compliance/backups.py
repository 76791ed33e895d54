"""Backups of elements' configurations in SQL: versions of each, equal contents kept once; functions over a connection.

A content has the flat mapping, from which a restore is made, and the element's own language, which people read. Secrets
stand in both as their names.
"""

import hashlib
import zlib
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ocs.limits import BACKUP_OCTETS_MAX, BACKUPS_PER_ELEMENT_MAX
from ocs.provisioning.compliance.errors import NoSuchBackupError
from ocs.provisioning.compliance.tables import BACKUP, BACKUP_CONTENT
from ocs.provisioning.configuration import Configuration

_encode: Final = msgspec.msgpack.Encoder(order="deterministic").encode
_decode: Final = msgspec.msgpack.Decoder(dict[str, str | None]).decode


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an element's configuration, without its content.

    Attributes:
        version: counts from 1. content_hash: equal for equal configurations, of whatever element.
        taken_ms: when it was first found. seen_ms: when it was last found unchanged. cause: why it was looked for.
    """

    element: str
    version: int
    content_hash: str
    taken_ms: int
    seen_ms: int
    cause: str


class BackupContent(msgspec.Struct, frozen=True):
    """What a backup holds: the configuration, and the same as the element would be told it."""

    configuration: Configuration
    native: str


def store_backup(
    connection: Connection,
    element: str,
    configuration: Configuration,
    native: str,
    *,
    cause: str,
    now_ms: int,
) -> int:
    """Keep a configuration, if the newest backup of the element has another one; the oldest beyond the bound go.

    Returns:
        Its version; 0: it has not changed.
    """
    content = _encode(dict(configuration))
    content_hash = hashlib.blake2b(content, digest_size=20).hexdigest()
    newest = find_backup(connection, element)
    if newest is not None and newest.content_hash == content_hash:
        connection.execute(
            update(BACKUP)
            .where(BACKUP.c.element == element, BACKUP.c.version == newest.version)
            .values(seen_ms=now_ms)
        )
        return 0
    known = connection.execute(
        select(BACKUP_CONTENT.c.content_hash).where(BACKUP_CONTENT.c.content_hash == content_hash)
    ).one_or_none()
    if known is None:
        connection.execute(
            insert(BACKUP_CONTENT).values(
                content_hash=content_hash,
                paths=zlib.compress(content),
                native=zlib.compress(native.encode()),
            )
        )
    version = newest.version + 1 if newest is not None else 1
    connection.execute(
        insert(BACKUP).values(
            element=element,
            version=version,
            content_hash=content_hash,
            taken_ms=now_ms,
            seen_ms=now_ms,
            cause=cause,
        )
    )
    _forget_before(connection, element, version - BACKUPS_PER_ELEMENT_MAX + 1)
    return version


def find_backup(connection: Connection, element: str, *, version: int = 0, at_ms: int = 0) -> Backup | None:
    """A backup of an element: a version, or what it ran at a time; without either the newest."""
    query = select(BACKUP).where(BACKUP.c.element == element)
    if version:
        query = query.where(BACKUP.c.version == version)
    if at_ms:
        query = query.where(BACKUP.c.taken_ms <= at_ms)
    row = connection.execute(query.order_by(BACKUP.c.version.desc()).limit(1)).one_or_none()
    return None if row is None else _backup(row)


def get_backup(connection: Connection, element: str, *, version: int = 0, at_ms: int = 0) -> Backup:
    """As :func:`find_backup`.

    Raises:
        NoSuchBackupError: there is none.
    """
    found = find_backup(connection, element, version=version, at_ms=at_ms)
    if found is None:
        which = f"no backup {version}" if version else "no backup of then" if at_ms else "no backup"
        raise NoSuchBackupError(
            f"{element}: there is {which}: `ocs config history {element}` lists what there is"
        )
    return found


def read_content(connection: Connection, backup: Backup) -> BackupContent:
    """What a backup holds."""
    row = connection.execute(
        select(BACKUP_CONTENT).where(BACKUP_CONTENT.c.content_hash == backup.content_hash)
    ).one()
    return BackupContent(_decode(_unpacked(row.paths)), _unpacked(row.native).decode())


def list_backups(connection: Connection, element: str) -> list[Backup]:
    """The backups of an element, the newest first."""
    rows = connection.execute(
        select(BACKUP).where(BACKUP.c.element == element).order_by(BACKUP.c.version.desc())
    )
    return [_backup(row) for row in rows]


def newest_backups(connection: Connection) -> dict[str, Backup]:
    """Element -> its newest backup."""
    newest = (
        select(BACKUP.c.element, func.max(BACKUP.c.version).label("version")).group_by(BACKUP.c.element)
    ).subquery()
    rows = connection.execute(
        select(BACKUP)
        .join(newest, (newest.c.element == BACKUP.c.element) & (newest.c.version == BACKUP.c.version))
        .order_by(BACKUP.c.element)
    )
    return {row.element: _backup(row) for row in rows}


def _forget_before(connection: Connection, element: str, version: int) -> None:
    old = (BACKUP.c.element == element, BACKUP.c.version < version)
    gone = list(connection.execute(select(BACKUP.c.content_hash).where(*old).distinct()).scalars())
    if not gone:
        return
    connection.execute(delete(BACKUP).where(*old))
    still_used = select(BACKUP.c.content_hash).where(BACKUP.c.content_hash == BACKUP_CONTENT.c.content_hash)
    connection.execute(
        delete(BACKUP_CONTENT).where(BACKUP_CONTENT.c.content_hash.in_(gone), ~still_used.exists())
    )


def _unpacked(octets: bytes) -> bytes:
    return zlib.decompressobj().decompress(bytes(octets), BACKUP_OCTETS_MAX)


def _backup(row: Row[Any]) -> Backup:
    return Backup(
        element=row.element,
        version=row.version,
        content_hash=row.content_hash,
        taken_ms=row.taken_ms,
        seen_ms=row.seen_ms,
        cause=row.cause,
    )
