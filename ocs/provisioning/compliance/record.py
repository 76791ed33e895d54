"""What is recorded of drift, in SQL: functions over a connection, so that a look is settled in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from ocs.inventory.statements import in_batches, insert_rows
from ocs.limits import DRIFT_FINDINGS_MAX, DRIFT_OWNERS_NAMED
from ocs.provisioning.compliance.drift import Finding, FindingKind, OwnedConfiguration
from ocs.provisioning.compliance.drift_policy import DriftAction
from ocs.provisioning.compliance.tables import DRIFT, LOOK
from ocs.provisioning.configuration import PathError, entries_above
from ocs.provisioning.transactions.states import HOLDS_ELEMENTS
from ocs.provisioning.transactions.tables import ORIGINAL, OWNER, PARTICIPANT, TRANSACTION

_HOLDING: Final = frozenset(state.value for state in HOLDS_ELEMENTS)


class Standing(NamedTuple):
    """Where the record of an element stands; while two are equal, no transaction of ours changed the element.

    Attributes:
        transactions, changed_ms: how many had a part in it, and the last change of any of them.
        is_held: one of them is under way: what the element runs is not what is recorded.
    """

    transactions: int
    changed_ms: int
    is_held: bool


class Drift(msgspec.Struct, frozen=True):
    """A finding as it is recorded.

    Attributes:
        since_ms: when it was first seen. who: as far as the element told; empty when it did not. action: what the
            policy says.
    """

    element: str
    finding: Finding
    since_ms: int
    who: str = ""
    action: DriftAction = DriftAction.ALARM


class LookRecord(msgspec.Struct, frozen=True):
    """When an element was last compared as a whole.

    Attributes:
        looked_ms: 0: never. trouble: why the last attempt failed; empty when it did not.
        told: what the alarm list was told last; empty: that all is well.
    """

    element: str
    looked_ms: int = 0
    trouble: str = ""
    told: str = ""


# --- What is owned --------------------------------------------------------------------------------------------------


def read_standing(connection: Connection, element: str) -> Standing:
    """Where an element's record stands."""
    rows = connection.execute(
        select(TRANSACTION.c.state, func.count(), func.max(TRANSACTION.c.changed_ms))
        .join(PARTICIPANT, PARTICIPANT.c.transaction_id == TRANSACTION.c.transaction_id)
        .where(PARTICIPANT.c.element == element)
        .group_by(TRANSACTION.c.state)
    ).all()
    return Standing(
        sum(row[1] for row in rows),
        max((row[2] for row in rows), default=0),
        any(row.state in _HOLDING for row in rows),
    )


def read_owned(
    connection: Connection, element: str, paths: Sequence[str] | None = None
) -> OwnedConfiguration:
    """What services own of an element.

    Args:
        paths: only what lies at or below these, and the entries above them; None: everything.
    """
    if paths is None:
        return OwnedConfiguration(
            _values(connection, OWNER, OWNER.c.element == element),
            frozenset(_values(connection, ORIGINAL, ORIGINAL.c.element == element)),
        )
    values: dict[str, str | None] = {}
    originals: set[str] = set()
    for path in paths:
        for table in (OWNER, ORIGINAL):
            at = or_(
                table.c.path.in_([path, *_entries_above(path)]),
                table.c.path.startswith(f"{path}/", autoescape=True),
                table.c.path.startswith(f"{path}[", autoescape=True),
            )
            found = _values(connection, table, table.c.element == element, at)
            if table is OWNER:
                values.update(found)
            else:
                originals.update(found)
    return OwnedConfiguration(values, frozenset(originals))


def _values(connection: Connection, table: Any, *conditions: ColumnElement[bool]) -> dict[str, str | None]:
    rows = connection.execute(select(table.c.path, table.c.value).where(*conditions).distinct())
    return {row.path: row.value for row in rows}


def _entries_above(path: str) -> tuple[str, ...]:
    try:
        return entries_above(path)
    except PathError:
        return ()


def with_owners(connection: Connection, element: str, findings: Iterable[Finding]) -> list[Finding]:
    """Findings with the first services that own their places."""
    named: dict[str, tuple[str, ...]] = {}
    result: list[Finding] = []
    for finding in findings:
        if finding.place not in named:
            rows = connection.execute(
                select(OWNER.c.service_id)
                .where(OWNER.c.element == element, OWNER.c.path == finding.place)
                .order_by(OWNER.c.service_id)
                .limit(DRIFT_OWNERS_NAMED)
            )
            named[finding.place] = tuple(rows.scalars())
        result.append(msgspec.structs.replace(finding, owners=named[finding.place]))
    return result


def accept(connection: Connection, element: str, findings: Iterable[Finding]) -> None:
    """Have the record follow the element: its services own what it runs, until they are changed the next time."""
    for finding in findings:
        at = (OWNER.c.element == element, OWNER.c.path == finding.path)
        match finding.kind:
            case FindingKind.CHANGED:
                connection.execute(update(OWNER).where(*at).values(value=finding.found))
            case FindingKind.MISSING:
                connection.execute(delete(OWNER).where(*at))
                connection.execute(
                    delete(ORIGINAL).where(ORIGINAL.c.element == element, ORIGINAL.c.path == finding.path)
                )
            case FindingKind.EXTRA:
                holders = select(
                    OWNER.c.element,
                    _text(finding.path).label("path"),
                    OWNER.c.service_id,
                    _text(finding.found).label("value"),
                ).where(OWNER.c.element == element, OWNER.c.path == finding.place)
                connection.execute(
                    insert(OWNER).from_select(["element", "path", "service_id", "value"], holders)
                )


def _text(value: str | None) -> ColumnElement[Any]:
    return cast(literal(value, Text), Text)


# --- Findings -------------------------------------------------------------------------------------------------------


def read_drift(connection: Connection, element: str = "", *, limit: int = DRIFT_FINDINGS_MAX) -> list[Drift]:
    """What differs, of one element or of all, by element and path."""
    query = select(DRIFT).order_by(DRIFT.c.element, DRIFT.c.path).limit(limit)
    if element:
        query = query.where(DRIFT.c.element == element)
    return [
        Drift(
            row.element,
            Finding(
                row.path,
                FindingKind(row.kind),
                row.place,
                row.wanted,
                row.found,
                tuple(row.services.split("\n")) if row.services else (),
            ),
            row.since_ms,
            row.who,
            DriftAction(row.action),
        )
        for row in connection.execute(query)
    ]


def write_drift(
    connection: Connection, element: str, drifts: Iterable[Drift], scope: Sequence[str] | None
) -> None:
    """Replace what is recorded of an element's drift.

    Args:
        scope: only of what lies at or below these paths; None: all of it.
    """
    if scope is None:
        connection.execute(delete(DRIFT).where(DRIFT.c.element == element))
    else:
        for path in scope:
            connection.execute(
                delete(DRIFT).where(
                    DRIFT.c.element == element,
                    or_(
                        DRIFT.c.path == path,
                        DRIFT.c.path.startswith(f"{path}/", autoescape=True),
                        DRIFT.c.path.startswith(f"{path}[", autoescape=True),
                    ),
                )
            )
    rows: list[Mapping[str, Any]] = [
        {
            "element": element,
            "path": drift.finding.path,
            "kind": drift.finding.kind.value,
            "place": drift.finding.place,
            "wanted": drift.finding.wanted,
            "found": drift.finding.found,
            "services": "\n".join(drift.finding.owners),
            "since_ms": drift.since_ms,
            "who": drift.who,
            "action": drift.action.value,
        }
        for drift in drifts
    ]
    for batch in in_batches(rows[:DRIFT_FINDINGS_MAX]):
        insert_rows(connection, DRIFT, batch)


# --- Looks ----------------------------------------------------------------------------------------------------------


def read_looks(connection: Connection) -> dict[str, LookRecord]:
    """When each element was last compared."""
    return {
        row.element: LookRecord(row.element, row.looked_ms, row.trouble, row.told)
        for row in connection.execute(select(LOOK).order_by(LOOK.c.element))
    }


def read_look(connection: Connection, element: str) -> LookRecord:
    """When an element was last compared."""
    row = connection.execute(select(LOOK).where(LOOK.c.element == element)).one_or_none()
    return LookRecord(element) if row is None else LookRecord(element, row.looked_ms, row.trouble, row.told)


def write_look(connection: Connection, element: str, **changed: Any) -> None:
    """Note something of an element's looks: ``looked_ms``, ``trouble``, ``told``."""
    done = connection.execute(update(LOOK).where(LOOK.c.element == element).values(**changed))
    if not done.rowcount:
        values = {"looked_ms": 0, "trouble": "", "told": "", **changed}
        connection.execute(insert(LOOK).values(element=element, **values))


def forget_drift(connection: Connection, element: str, path: str) -> None:
    """A finding is no finding any more; the alarm follows with the next look."""
    connection.execute(delete(DRIFT).where(DRIFT.c.element == element, DRIFT.c.path == path))


def outdated(connection: Connection) -> list[str]:
    """Elements of which the alarm list says that they drift, and the record says that they do not."""
    drifts = select(DRIFT.c.path).where(DRIFT.c.element == LOOK.c.element)
    return list(
        connection.execute(
            select(LOOK.c.element).where(LOOK.c.told != "", ~drifts.exists()).order_by(LOOK.c.element)
        ).scalars()
    )


def forget_element(connection: Connection, element: str) -> None:
    """An element is not ours to look at any more."""
    connection.execute(delete(DRIFT).where(DRIFT.c.element == element))
    connection.execute(delete(LOOK).where(LOOK.c.element == element))
