"""Who owns which part of an element's configuration, in SQL: functions over a connection."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Text, and_, bindparam, column, delete, insert, select, values

from ocs.inventory.statements import in_batches
from ocs.provisioning.configuration import Configuration
from ocs.provisioning.services.ownership import ElementOwnership, OwnershipChange
from ocs.provisioning.transactions.tables import ORIGINAL, OWNER

_OTHER: Final = OWNER.alias("other")


def owned_by(connection: Connection, service_id: str) -> dict[str, dict[str, str | None]]:
    """Element -> path -> value, of all that a service owns."""
    found: dict[str, dict[str, str | None]] = {}
    rows = connection.execute(
        select(OWNER.c.element, OWNER.c.path, OWNER.c.value)
        .where(OWNER.c.service_id == service_id)
        .order_by(OWNER.c.element, OWNER.c.path)
    )
    for element, path, value in rows:
        found.setdefault(element, {})[path] = value
    return found


def owned_on(connection: Connection, element: str) -> dict[str, str | None]:
    """Path -> value, of all that any service owns of an element: what must stand there."""
    rows = connection.execute(
        select(OWNER.c.path, OWNER.c.value).where(OWNER.c.element == element).distinct()
    )
    return {row.path: row.value for row in rows}


def owners_of(connection: Connection, element: str, path: str, *, limit: int) -> dict[str, str | None]:
    """Service -> the value that it wants at a path of an element; the first by id."""
    rows = connection.execute(
        select(OWNER.c.service_id, OWNER.c.value)
        .where(OWNER.c.element == element, OWNER.c.path == path)
        .order_by(OWNER.c.service_id)
        .limit(limit)
    )
    return {row.service_id: row.value for row in rows}


def read_ownership(
    connection: Connection, service_id: str, concerned: Mapping[str, Iterable[str]]
) -> dict[str, ElementOwnership]:
    """What is owned of some paths, as far as a change of one service needs to know it.

    A path may have a million owners, who all want the same value there: of those besides the service, one is told.

    Args:
        concerned: element -> paths, in canonical form, that the service owns or will want.
    """
    ownership: dict[str, ElementOwnership] = {}
    for element, paths in concerned.items():
        owners: dict[str, dict[str, str | None]] = {}
        originals: dict[str, str | None] = {}
        for batch in in_batches(sorted(set(paths))):
            for path, owner, value in _owners(connection, service_id, element, batch):
                owners.setdefault(path, {})[owner] = value
            rows = connection.execute(
                select(ORIGINAL.c.path, ORIGINAL.c.value).where(
                    ORIGINAL.c.element == element, ORIGINAL.c.path.in_(batch)
                )
            )
            originals.update((path, value) for path, value in rows)
        ownership[element] = ElementOwnership(owners, originals)
    return ownership


def _owners(connection: Connection, service_id: str, element: str, paths: list[str]) -> list[Any]:
    """The service itself and one other owner of each path."""
    mine = connection.execute(
        select(OWNER.c.path, OWNER.c.service_id, OWNER.c.value).where(
            OWNER.c.element == element, OWNER.c.path.in_(paths), OWNER.c.service_id == service_id
        )
    ).all()
    rows = values(column("path", Text), name="rows").data([(path,) for path in paths])
    wanted = rows.cte("wanted")  # the one form of it that SQLite takes
    first_other = (
        select(_OTHER.c.service_id)
        .where(_OTHER.c.element == element, _OTHER.c.path == wanted.c.path, _OTHER.c.service_id != service_id)
        .order_by(_OTHER.c.service_id)
        .limit(1)
        .correlate(wanted)
        .scalar_subquery()
    )
    others = connection.execute(
        select(OWNER.c.path, OWNER.c.service_id, OWNER.c.value)
        .select_from(wanted)
        .join(
            OWNER,
            and_(
                OWNER.c.element == element,
                OWNER.c.path == wanted.c.path,
                OWNER.c.service_id == first_other,
            ),
        )
    ).all()
    return [*mine, *others]


def write_ownership(
    connection: Connection,
    service_id: str,
    changes: Mapping[str, OwnershipChange],
    before: Mapping[str, Configuration],
) -> None:
    """Write who owns what after a change of a service.

    Args:
        changes: element -> change, of every element that it concerns; nothing is changed of others.
        before: element -> what stood at the touched paths: the originals of what nobody owned.
    """
    for element, change in changes.items():
        stood = before.get(element, {})
        connection.execute(delete(OWNER).where(OWNER.c.service_id == service_id, OWNER.c.element == element))
        _insert(
            connection,
            OWNER,
            (
                {"element": element, "path": path, "service_id": service_id, "value": value}
                for path, value in change.owned.items()
            ),
        )
        _insert(
            connection,
            ORIGINAL,
            (
                {"element": element, "path": path, "value": stood[path]}
                for path in change.first_owned
                if path in stood
            ),
        )
        if change.orphaned:
            connection.execute(
                delete(ORIGINAL).where(ORIGINAL.c.element == element, ORIGINAL.c.path == bindparam("orphan")),
                [{"orphan": path} for path in change.orphaned],
            )


def _insert(connection: Connection, table: Any, rows: Iterable[dict[str, Any]]) -> None:
    for batch in in_batches(rows):
        connection.execute(insert(table), batch)
