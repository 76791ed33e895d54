"""The tables of RFC 3877: an agent keeps its active alarms as the notifications that it sent of them. Pure.

Each row of ``alarmActiveTable`` names the notification, ``alarmActiveVariableTable`` has its varbinds, and
``alarmModelTable`` says which notifications the agent keeps so: of those the table tells all that stand.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from ocs.faults.notification import Varbind
from ocs.faults.resync.looked_up import Found, Table
from ocs.faults.resync.walks import ALARMS

_MIB: Final = "1.3.6.1.2.1.118"
LAST_CHANGED: Final = f"{_MIB}.1.2.1.0"  # alarmActiveLastChanged
OVERFLOW: Final = f"{_MIB}.1.2.5.0"  # alarmActiveOverflow
# What is read: rows of alarms, their varbinds, and alarmModelNotificationId.
ACTIVE: Final = f"{_MIB}.1.2.2.1"
VARIABLES: Final = f"{_MIB}.1.2.3.1"
MODEL_NOTIFICATIONS: Final = f"{_MIB}.1.1.2.1.3"

_ACTIVE_STATE: Final = f"{_MIB}.0.2"  # alarmActiveState
_NOTIFICATION, _RESOURCE, _DESCRIPTION, _MODEL = (f"{ACTIVE}.{column}" for column in (9, 10, 11, 13))
_COUNT: Final = f"{ACTIVE}.8"  # alarmActiveVariables
_IDENTIFIER, _TYPE = f"{VARIABLES}.2", f"{VARIABLES}.3"
# alarmActiveVariableValueType: the column that has the value.
_VALUES: Final = {
    1: f"{VARIABLES}.4",  # counter32
    2: f"{VARIABLES}.5",  # unsigned32
    3: f"{VARIABLES}.6",  # timeTicks
    4: f"{VARIABLES}.7",  # integer32
    5: f"{VARIABLES}.9",  # ipAddress
    6: f"{VARIABLES}.8",  # octetString
    7: f"{VARIABLES}.10",  # objectId
    8: f"{VARIABLES}.11",  # counter64
    9: f"{VARIABLES}.12",  # opaque
}
# RFC 3877: an unset pointer is zeroDotZero.
_NOTHING: Final = frozenset({"0.0", "0", ""})
# The first two of every notification (RFC 3416 section 4.2.6), which rules do not see.
_ENVELOPE: Final = frozenset({"1.3.6.1.2.1.1.3.0", "1.3.6.1.6.3.1.1.4.1.0"})


class Readings(NamedTuple):
    """What was read.

    Attributes:
        scalars: ``LAST_CHANGED`` and ``OVERFLOW``, as far as the agent has them.
        active, variables, models: below ``ACTIVE``, ``VARIABLES``, ``MODEL_NOTIFICATIONS``.
    """

    scalars: Mapping[str, Varbind]
    active: Iterable[Varbind]
    variables: Iterable[Varbind]
    models: Iterable[Varbind]


def read_alarm_tables(readings: Readings, alarm_types: Callable[[str], frozenset[str]]) -> Table:
    """What the agent says stands.

    Args:
        alarm_types: the types of alarms that the rules make of a notification.
    """
    rows = _rows(readings.active)
    varbinds = _varbinds_by_alarm(readings.variables)
    found = tuple(one for instance in rows if (one := _found(instance, rows[instance], varbinds)) is not None)
    if LAST_CHANGED not in readings.scalars and not rows:
        return Table(ALARMS, (), None, 0)  # it has no such tables
    overflow = readings.scalars.get(OVERFLOW)
    if overflow is not None and overflow.value:
        # RFC 3877: so many active alarms had no room in the table.
        return Table(ALARMS, found, frozenset(), len(rows))
    told = {one.trap_oid for one in found}
    told.update(one.value for one in readings.models if isinstance(one.value, str))
    covers = frozenset[str]().union(*(alarm_types(trap_oid) for trap_oid in told - _NOTHING))
    return Table(ALARMS, found, covers | alarm_types(_ACTIVE_STATE), len(rows))


def _rows(active: Iterable[Varbind]) -> dict[str, dict[str, Varbind]]:
    """Columns by instance; in the order of the table."""
    rows: dict[str, dict[str, Varbind]] = {}
    for varbind in active:
        column, instance = _split(varbind.name, ACTIVE)
        rows.setdefault(instance, {})[column] = varbind
    return rows


def _varbinds_by_alarm(variables: Iterable[Varbind]) -> dict[str, list[Varbind]]:
    """The varbinds of each alarm, by list and index of the alarm, in their order."""
    rows: dict[str, dict[str, Varbind]] = {}
    for varbind in variables:
        column, instance = _split(varbind.name, VARIABLES)
        rows.setdefault(instance, {})[column] = varbind
    ordered = sorted(rows, key=lambda instance: [int(arc) for arc in instance.split(".") if arc])
    by_alarm: dict[str, list[Varbind]] = {}
    for instance in ordered:
        row = rows[instance]
        identifier, kind = row.get(_IDENTIFIER), row.get(_TYPE)
        if identifier is None or kind is None or not isinstance(kind.value, int):
            continue
        value = row.get(_VALUES.get(kind.value, ""))
        name = identifier.value
        if value is None or not isinstance(name, str) or name in _NOTHING or name in _ENVELOPE:
            continue
        by_alarm.setdefault(instance.rpartition(".")[0], []).append(Varbind(name, value.syntax, value.value))
    return by_alarm


def _found(instance: str, row: Mapping[str, Varbind], varbinds: Mapping[str, list[Varbind]]) -> Found | None:
    key = _alarm_key(instance)
    if key is None:
        return None
    told = row.get(_NOTIFICATION)
    trap_oid = told.value if told is not None and isinstance(told.value, str) else ""
    said = varbinds.get(key, [])
    count = row.get(_COUNT)
    if trap_oid in _NOTHING or (not said and (count is None or count.value != 0)):
        # What the notification said was not kept: the alarm has its name from its model then.
        trap_oid = _ACTIVE_STATE
    names = {varbind.name.rpartition(f".{instance}")[0] or varbind.name for varbind in said}
    more = [
        row[column] for column in (_MODEL, _RESOURCE, _DESCRIPTION) if column in row and column not in names
    ]
    return Found(trap_oid, (*said, *more))


def _alarm_key(instance: str) -> str | None:
    """List and index of an alarm, as the instances of its varbinds begin; None when the instance is none.

    The INDEX is alarmListName, alarmActiveDateAndTime, alarmActiveIndex; the length of each string stands before it.
    """
    arcs = instance.split(".")
    if not all(arc.isdigit() for arc in arcs):
        return None
    name_end = 1 + int(arcs[0])
    if name_end >= len(arcs):
        return None
    date_end = name_end + 1 + int(arcs[name_end])
    if len(arcs) != date_end + 1:
        return None
    return ".".join((*arcs[:name_end], arcs[date_end]))


def _split(name: str, entry: str) -> tuple[str, str]:
    """Column and instance."""
    column, _, instance = name[len(entry) + 1 :].partition(".")
    return f"{entry}.{column}", instance
