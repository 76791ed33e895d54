"""The alarm list in memory for those who only look: kept up by the stream of changes; no I/O."""

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from ocs.faults.alarm import Alarm, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.faults.view.naming import ResourceNames
from ocs.faults.view.selection import SORT_KEYS, AlarmFilter, AlarmRow, PageRequest, select_rows

# A page that ends so deep in a list (the list's length by this) is found faster by sorting all of it.
_SORTED_FROM: Final = 10


class Page(NamedTuple):
    """A part of a list, and how long the whole is."""

    rows: list[AlarmRow]
    total: int


def cut(found: Collection[AlarmRow], page: PageRequest) -> Page:
    """Sort alarms and take the part that is asked for."""
    key = SORT_KEYS[page.order]
    if page.end * _SORTED_FROM < len(found):
        pick = heapq.nlargest if page.is_descending else heapq.nsmallest
        first = pick(page.end, found, key=key)
    else:
        first = sorted(found, key=key, reverse=page.is_descending)
    return Page(first[max(0, page.offset) : page.end], len(found))


class SeverityCounts(msgspec.Struct, frozen=True):
    """The counters of one severity (RFC 8632, alarm-summary): devices clear, operators close."""

    severity: Severity
    total: int
    not_cleared: int
    cleared: int
    cleared_not_closed: int
    cleared_closed: int
    not_cleared_closed: int
    not_cleared_not_closed: int


class Summary(msgspec.Struct, frozen=True):
    """Counters over the list (RFC 8632, alarm-summary), worst severity first; every severity is listed."""

    severities: tuple[SeverityCounts, ...]
    shelves_active: int


class _Kind(NamedTuple):
    """What the summary counts by."""

    severity: Severity
    is_cleared: bool
    is_closed: bool


def _kind_of(row: AlarmRow) -> _Kind:
    alarm = row.alarm
    return _Kind(alarm.severity, alarm.is_cleared, row.state is OperatorState.CLOSED)


class AlarmView:
    """Alarms by id, with what operators said of them.

    Args:
        names: what people call resources.
    """

    def __init__(
        self,
        alarms: Iterable[Alarm] = (),
        operators: Iterable[OperatorRecord] = (),
        names: ResourceNames | None = None,
    ) -> None:
        records = {record.alarm_id: record for record in operators}
        self._names = names or ResourceNames()
        self._rows = {alarm.alarm_id: self.row_of(alarm, records.get(alarm.alarm_id)) for alarm in alarms}
        self._counts = Counter(map(_kind_of, self._rows.values()))
        self._shelved = {name for name, row in self._rows.items() if row.state is OperatorState.SHELVED}
        self._groups: dict[str, dict[str, None]] = {}
        for row in self._rows.values():
            self._join(row)

    def __len__(self) -> int:
        return len(self._rows)

    def row_of(self, alarm: Alarm, record: OperatorRecord | None) -> AlarmRow:
        """A row for any alarm, in the list or not, with what people call its resource."""
        return AlarmRow(alarm, record, self._names.name_of(alarm))

    def get(self, alarm_id: str) -> AlarmRow | None:
        """One alarm; None when the list has none of that id."""
        return self._rows.get(alarm_id)

    def apply(self, change: AlarmChange) -> None:
        """Take a change, which holds the whole values after it; one that was taken before does no harm."""
        alarm_id = change.alarm_id
        before = self._rows.get(alarm_id)
        if before is not None:
            self._counts[_kind_of(before)] -= 1
            self._leave(before)
        if change.kind is ChangeKind.PURGED or change.alarm is None:
            self._rows.pop(alarm_id, None)
            self._shelved.discard(alarm_id)
            return
        row = self._rows[alarm_id] = self.row_of(change.alarm, change.operator)
        self._counts[_kind_of(row)] += 1
        self._join(row)
        if row.state is OperatorState.SHELVED:
            self._shelved.add(alarm_id)
        else:
            self._shelved.discard(alarm_id)

    def _join(self, row: AlarmRow) -> None:
        """Have an alarm found under its parents: a table asks for the symptoms of each of its rows."""
        for parent in row.parents:
            self._groups.setdefault(parent, {})[row.alarm.alarm_id] = None

    def _leave(self, row: AlarmRow) -> None:
        for parent in row.parents:
            group = self._groups[parent]
            del group[row.alarm.alarm_id]
            if not group:
                del self._groups[parent]

    # --- Looking ----------------------------------------------------------------------------------------

    def find(self, wanted: AlarmFilter, page: PageRequest, now_ms: int) -> Page:
        """The part of the filtered and sorted list that is asked for."""
        return cut(self.rows(wanted, now_ms), page)

    def rows(self, wanted: AlarmFilter, now_ms: int) -> Collection[AlarmRow]:
        """All that a filter wants, in no order."""
        parent = wanted.root_cause or wanted.parent
        if not parent:
            return select_rows(self._rows.values(), wanted, now_ms)
        group = [self._rows[alarm_id] for alarm_id in self._groups.get(parent, ())]
        if wanted.parent not in self._rows:
            group = [row for row in group if row.alarm.root_cause == parent]
        return select_rows(group, wanted, now_ms)

    def said_of(self, row: AlarmRow) -> OperatorRecord | None:
        """What operators said of an alarm; that it belongs to one that left the list is not said any more."""
        record = row.operator
        if record is None or not record.grouped_under or record.grouped_under in self._rows:
            return record
        return msgspec.structs.replace(record, grouped_under="")

    def ids(self, wanted: AlarmFilter, now_ms: int) -> list[str]:
        """The ids of all that a filter wants, as for a purge."""
        return [row.alarm.alarm_id for row in self.rows(wanted, now_ms)]

    def standing(self) -> Iterator[AlarmRow]:
        """All that are not over, in no order; the view must not change meanwhile."""
        return (row for row in self._rows.values() if not row.alarm.is_cleared)

    def symptoms(self, alarm_id: str, page: PageRequest, now_ms: int) -> Page:
        """What stands under an alarm, by the topology or because operators said so."""
        return self.find(AlarmFilter(parent=alarm_id), page, now_ms)

    def summary(self, now_ms: int) -> Summary:
        """The counters of RFC 8632's alarm-summary."""
        counted = tuple(
            self._count(severity)
            for severity in sorted(Severity, reverse=True)
            if severity > Severity.CLEARED
        )
        return Summary(counted, sum(self._rows[alarm_id].is_shelved(now_ms) for alarm_id in self._shelved))

    def _count(self, severity: Severity) -> SeverityCounts:
        counts = self._counts
        over_closed = counts[_Kind(severity, is_cleared=True, is_closed=True)]
        over_open = counts[_Kind(severity, is_cleared=True, is_closed=False)]
        stands_closed = counts[_Kind(severity, is_cleared=False, is_closed=True)]
        stands_open = counts[_Kind(severity, is_cleared=False, is_closed=False)]
        return SeverityCounts(
            severity,
            total=over_closed + over_open + stands_closed + stands_open,
            not_cleared=stands_closed + stands_open,
            cleared=over_closed + over_open,
            cleared_not_closed=over_open,
            cleared_closed=over_closed,
            not_cleared_closed=stands_closed,
            not_cleared_not_closed=stands_open,
        )
