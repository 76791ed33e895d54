"""What a step of the book came to, and how it is collected."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from ocs.faults.alarm import Alarm
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book.entry import Entry
from ocs.faults.book.tombstones import Tombstone, Tombstones
from ocs.faults.operator_axis import OperatorRecord

# Steps of an alarm's state; everything else is a count or an order.
_STEPS: Final = frozenset({ChangeKind.RAISED, ChangeKind.CHANGED, ChangeKind.CLEARED})


class Change(NamedTuple):
    """What happened to one alarm; its values after the whole batch are in the outcome's ``alarms``.

    Attributes:
        is_notified: people and partners are to be told. RAISED, or REGROUPED of an alarm that stands: it stands.
            CLEARED: it is over. CHANGED, ESCALATED: it is otherwise.
    """

    kind: ChangeKind
    alarm_id: str
    at_ms: int
    is_notified: bool


class Outcome(NamedTuple):
    """What a step came to; everything of it is committed together, and told after.

    Attributes:
        alarms: each changed alarm once, its last value. changes: in order.
        tombstones: those that are new. forgotten: alarms whose tombstones the store need not keep.
        operators: records that the system itself changed (a shelf that ended, an acknowledgement that a new raise made
            void). An operator's own deed that came between wins; it comes back by ``note_operator``.
        refused: signals that found no room in the list.
    """

    alarms: list[Alarm]
    changes: list[Change]
    tombstones: tuple[Tombstone, ...] = ()
    forgotten: tuple[str, ...] = ()
    operators: tuple[OperatorRecord, ...] = ()
    refused: int = 0

    @property
    def purged(self) -> list[str]:
        """Ids of alarms that left the list and did not come back."""
        gone = [change.alarm_id for change in self.changes if change.kind is ChangeKind.PURGED]
        if not gone:
            return gone
        present = {alarm.alarm_id for alarm in self.alarms}
        return [alarm_id for alarm_id in gone if alarm_id not in present]


class Draft:
    """An outcome in the making: which alarms changed, and what of it is said."""

    def __init__(self) -> None:
        self._touched: list[Entry] = []
        self._changes: list[Change] = []
        self._operators: list[OperatorRecord] = []
        self.refused = 0

    def touch(self, entry: Entry) -> None:
        """Have an alarm among those that changed."""
        if not entry.is_touched:
            entry.is_touched = True
            self._touched.append(entry)

    def mention(self, entry: Entry, kind: ChangeKind) -> None:
        """Have one line for an alarm that nobody is told; a step of its state says more than a count."""
        self.touch(entry)
        if entry.quiet is None or kind in _STEPS:
            entry.quiet = kind

    def note(self, entry: Entry, kind: ChangeKind, now_ms: int, *, is_notified: bool) -> None:
        """Say what happened to an alarm."""
        entry.quiet = None
        self.touch(entry)
        self._changes.append(Change(kind, entry.alarm_id, now_ms, is_notified))

    def operate(self, record: OperatorRecord) -> None:
        """Have a record that the system changed."""
        self._operators.append(record)

    def finish(self, in_list: Mapping[str, Entry], tombstones: Tombstones, now_ms: int) -> Outcome:
        """Everything since the last time; an alarm of which nothing else is said has one line that it changed."""
        changes, told = self._changes, {change.alarm_id for change in self._changes}
        alarms: list[Alarm] = []
        for entry in self._touched:
            entry.is_touched = False
            if in_list.get(entry.alarm_id) is not entry:
                continue
            alarms.append(entry.freeze())
            if entry.quiet in _STEPS or entry.alarm_id not in told:
                kind = entry.quiet or ChangeKind.REPEATED
                changes.append(Change(kind, entry.alarm_id, now_ms, is_notified=False))
            entry.quiet = None
        outcome = Outcome(
            alarms,
            changes,
            tombstones.take_new(),
            tombstones.take_gone(),
            tuple(self._operators),
            self.refused,
        )
        self._touched, self._changes, self._operators, self.refused = [], [], [], 0
        return outcome
