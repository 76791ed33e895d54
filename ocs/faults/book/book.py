"""The alarm list of its one owner: signals, operators and time go in, changed alarms and what to tell of them come out.

Pure and in memory. The state of an alarm is what its device says, always; everything else here decides who is told. An
alarm that stands is told once nothing holds its notice back: a shelf, a maintenance window, a cause that explains it,
flapping, or the short wait for such a cause. What was told is told to be over.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from ocs.faults.alarm import Alarm, AlarmKey, AlarmSignal, Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book import flapping, lifecycle, operator_rules
from ocs.faults.book.administration import PurgeFilter, compressed
from ocs.faults.book.correlation import Correlation
from ocs.faults.book.entry import Entry, first_entry, thaw
from ocs.faults.book.maintenance import Maintenance, MaintenanceWindow
from ocs.faults.book.outcome import Draft, Outcome
from ocs.faults.book.outlook import Outlook
from ocs.faults.book.policy import BookPolicy
from ocs.faults.book.room import Room
from ocs.faults.book.timetable import Timetable
from ocs.faults.book.tombstones import Tombstone, Tombstones
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.faults.topology.dependencies import Dependencies
from ocs.faults.topology.port import Topology
from ocs.limits import (
    AFFECTED_SERVICES_MAX,
    ALARMS_DUE_PER_TICK,
    SIGNAL_AHEAD_MAX_MS,
)

_RAISED, _CHANGED, _CLEARED = ChangeKind.RAISED, ChangeKind.CHANGED, ChangeKind.CLEARED
_REPEATED, _REGROUPED = ChangeKind.REPEATED, ChangeKind.REGROUPED
_STEPS: Final = frozenset({_RAISED, _CHANGED, _CLEARED})
_TAKEN_CARE_OF: Final = frozenset({OperatorState.ACK, OperatorState.CLOSED})


class AlarmBook:
    """All alarms, with indexes for what is asked of them.

    Args:
        topology: what depends on what.
        policy: how the operator wants it.
        alarms: as the store has them. operators, tombstones: likewise.
    """

    def __init__(
        self,
        topology: Topology,
        policy: BookPolicy,
        *,
        alarms: Iterable[Alarm] = (),
        operators: Iterable[OperatorRecord] = (),
        tombstones: Iterable[Tombstone] = (),
    ) -> None:
        self._topology = topology
        self._policy = policy
        self._dependencies = Dependencies(topology)
        self._correlation = Correlation(self._dependencies, policy.cause_types)
        self._maintenance = Maintenance()
        self._outlook = Outlook(topology, policy, self._maintenance)
        self._tombstones = Tombstones(tombstones)
        self._room = Room(topology)
        self._timetable = Timetable()
        self._entries: dict[AlarmKey, Entry] = {}
        self._by_id: dict[str, Entry] = {}
        self._draft = Draft()
        self._load(alarms, {record.alarm_id: record for record in operators})

    def __len__(self) -> int:
        """Alarms in the list, cleared ones too."""
        return len(self._entries)

    # --- What is asked ----------------------------------------------------------------------------------------

    def alarm(self, alarm_id: str) -> Alarm | None:
        """An alarm as it is now; None when it is not in the list."""
        entry = self._by_id.get(alarm_id)
        return None if entry is None else entry.freeze()

    def operator(self, alarm_id: str) -> OperatorRecord | None:
        """What operators said of an alarm, as far as the book was told."""
        entry = self._by_id.get(alarm_id)
        return None if entry is None else entry.record

    def alarms(self) -> list[Alarm]:
        """All of them; some microseconds each."""
        return [entry.freeze() for entry in self._entries.values()]

    def active_of(self, element: str) -> list[Alarm]:
        """The alarms of one element that stand, for comparing with what the element itself says."""
        return [
            entry.freeze()
            for entry in self._entries.values()
            if not entry.is_cleared and entry.key.resource.partition("/")[0] == element
        ]

    def due_ms(self) -> int | None:
        """When :meth:`tick` has something to do; None: never, as things are."""
        moments = (self._timetable.due_ms(), self._maintenance.due_ms(), self._tombstones.due_ms())
        return min((due for due in moments if due is not None), default=None)

    # --- Signals ----------------------------------------------------------------------------------------------

    def take(self, signals: Sequence[AlarmSignal], now_ms: int) -> Outcome:
        """Bring signals into the list, in the order of their own times for each alarm."""
        entries = self._entries
        latest_ms = now_ms + SIGNAL_AHEAD_MAX_MS
        for signal in signals:
            entry = entries.get(signal.key)
            at_ms = signal.at_ms
            if entry is None:
                self._first(signal, min(at_ms, latest_ms), now_ms)
            elif (
                entry.last_signal_ms < at_ms <= latest_ms
                and signal.severity is entry.severity
                and not entry.is_cleared
                and signal.text == entry.text
            ):
                # Nearly all signals of a bad day: the same again.
                entry.last_signal_ms = at_ms
                entry.occurrences += 1
                entry.details = signal.details
                if not entry.is_touched:
                    self._draft.touch(entry)
            else:
                self._next(entry, signal, min(at_ms, latest_ms), now_ms)
        return self._outcome(now_ms)

    def _take_one(self, signal: AlarmSignal, now_ms: int) -> None:
        """Take what is said of the list itself, in its own time."""
        entry = self._entries.get(signal.key)
        if entry is None:
            self._first(signal, signal.at_ms, now_ms)
        else:
            self._next(entry, signal, max(signal.at_ms, entry.last_signal_ms), now_ms)

    def _first(self, signal: AlarmSignal, at_ms: int, now_ms: int) -> None:
        """A signal of a key that is not in the list."""
        alarm_id = signal.key.alarm_id
        stone = self._tombstones.get(alarm_id)
        is_stranger = self._room.is_stranger(signal.source, is_vouched=signal.is_vouched)
        if signal.severity is Severity.CLEARED:
            self._tombstones.add(alarm_id, at_ms, now_ms, text=signal.text, is_strangers=is_stranger)
            return
        is_late = stone is not None and at_ms <= stone.at_ms and now_ms < stone.until_ms
        if is_late and stone is not None and stone.is_purge:
            return
        if not self._has_room(signal, now_ms, is_stranger=is_stranger):
            self._draft.refused += 1
            return
        entry = first_entry(signal, alarm_id, at_ms)
        entry.is_stranger, entry.owner = is_stranger, signal.source
        self._room.add(entry)
        self._tombstones.discard(alarm_id)
        self._entries[signal.key] = self._by_id[alarm_id] = entry
        self._correlation.locate(entry)
        if is_late and stone is not None:
            lifecycle.clear_late(entry, stone.text, stone.at_ms)
            self._room.note_cleared(entry)
            self._draft.note(entry, _RAISED, now_ms, is_notified=False)
            self._draft.note(entry, _CLEARED, now_ms, is_notified=False)
            self._plan(entry, now_ms)
        else:
            self._raised(entry, now_ms)

    def _next(self, entry: Entry, signal: AlarmSignal, at_ms: int, now_ms: int) -> None:
        """A signal of a key that is in the list, and no plain repeat."""
        if entry.last_signal_ms > now_ms + SIGNAL_AHEAD_MAX_MS:
            # Our own clock went back: what follows is not late for ever.
            entry.last_signal_ms = at_ms - 1
        before = Severity.CLEARED if entry.is_cleared else entry.severity
        event_type = entry.event_type
        kind = lifecycle.take(entry, signal, at_ms)
        if entry.event_type is not event_type:
            self._correlation.fall(entry)
            self._correlation.locate(entry)
            if entry.stands:
                self._correlation.stand(entry)
        if kind is _RAISED:
            self._room.note_raised(entry)
        elif kind is _CLEARED:
            self._room.note_cleared(entry)
        if entry.is_flapping:
            if kind is _RAISED:
                flapping.count_raise(entry, at_ms, self._policy)
            self._draft.mention(entry, kind)
        elif kind is _RAISED:
            self._raised(entry, now_ms)
        elif kind is _CLEARED:
            self._over(entry, now_ms)
        elif kind is _CHANGED:
            self._changed(entry, before, now_ms)
        else:
            self._draft.mention(entry, kind)

    def _raised(self, entry: Entry, now_ms: int) -> None:
        """An alarm stands that did not."""
        begins = flapping.count_raise(entry, entry.last_signal_ms, self._policy)
        entry.raised_now_ms = now_ms
        entry.escalation = 0
        entry.released_ms = 0
        self._void_record(entry, now_ms)
        correlation = self._correlation
        correlation.stand(entry)
        self._regroup(entry, correlation.explain(entry))
        self._affect(entry)
        may_wait = not entry.root_cause and not begins and entry.may_wait
        entry.settle_ms = now_ms + self._policy.settling_ms if may_wait else 0
        if correlation.is_cause(entry):
            entry.spread_ms = now_ms + self._policy.settling_ms
        entry.suppression = self._outlook.suppression(entry, now_ms)
        is_held = bool(entry.suppression) and not (begins and entry.suppression == "flapping")
        is_notified = not is_held and self._policy.tells(Severity.CLEARED, entry.severity)
        entry.is_announced = entry.is_announced or is_notified
        self._draft.note(entry, _RAISED, now_ms, is_notified=is_notified)
        self._plan(entry, now_ms)

    def _changed(self, entry: Entry, before: Severity, now_ms: int) -> None:
        """An alarm that stands has another severity or text."""
        if entry.severity is not before:
            self._affect(entry)
        entry.suppression = entry.suppression or self._outlook.suppression(entry, now_ms)
        is_notified = not entry.suppression and self._policy.tells(before, entry.severity)
        entry.is_announced = entry.is_announced or is_notified
        self._draft.note(entry, _CHANGED, now_ms, is_notified=is_notified)
        self._plan(entry, now_ms)

    def _over(self, entry: Entry, now_ms: int) -> None:
        """An alarm is cleared. Who was told that it stands is told so, whatever holds notices back by now."""
        is_notified = entry.is_announced or not entry.suppression
        entry.is_announced = False
        entry.settle_ms = entry.spread_ms = 0
        entry.is_doubtful = False
        self._correlation.fall(entry)
        for root in self._correlation.leave(entry):
            self._draft.mention(root, _REGROUPED)
        if self._correlation.members(entry):
            entry.released_ms = now_ms + self._policy.settling_ms
        self._draft.note(entry, _CLEARED, now_ms, is_notified=is_notified)
        self._plan(entry, now_ms)

    def _void_record(self, entry: Entry, now_ms: int) -> None:
        """What operators had said of the failure before does not count for this one."""
        record = entry.record and operator_rules.raised_again(entry.record, now_ms)
        if record is not None:
            entry.record = record
            self._draft.operate(record)

    def _affect(self, entry: Entry) -> None:
        """Name the services that suffer: X.733 calls critical and major alarms service-affecting, others not."""
        services: tuple[str, ...] = ()
        if entry.severity >= Severity.MAJOR:
            services = self._topology.services(entry.place)
        entry.affected_services = services[:AFFECTED_SERVICES_MAX]
        entry.affected_subscribers = self._topology.subscribers(services) if services else 0

    # --- Operators and administration -------------------------------------------------------------------------

    def note_operator(self, record: OperatorRecord, now_ms: int) -> Outcome:
        """Take what an operator did, in whatever process; the deed itself is committed and told there."""
        entry = self._by_id.get(record.alarm_id)
        if entry is not None:
            entry.record = record
            is_said = record.state in _TAKEN_CARE_OF and bool(record.changes)
            is_of_before = is_said and record.changes[-1].at_ms < entry.raised_now_ms
            if is_of_before and not entry.is_flapping:
                self._void_record(entry, now_ms)
            self._look_at(entry, now_ms)
        return self._outcome(now_ms)

    def note_purged(self, alarm_ids: Iterable[str], now_ms: int) -> Outcome:
        """Take that alarms were purged elsewhere, and are told to be."""
        for alarm_id in alarm_ids:
            entry = self._by_id.get(alarm_id)
            if entry is not None:
                self._remove(entry, now_ms)
        return self._outcome(now_ms)

    def purge(self, wanted: PurgeFilter, now_ms: int) -> Outcome:
        """Remove alarms from the list (RFC 8632 purge-alarms), as many as one commit holds.

        A purged alarm comes back with its next raise; a late repeat of one before does not bring it.
        """
        matching = [
            entry for entry in self._entries.values() if wanted.matches(entry.freeze(), entry.record, now_ms)
        ]
        for entry in matching[:ALARMS_DUE_PER_TICK]:
            self._purge(entry, now_ms)
        return self._outcome(now_ms)

    def note_compressed(self, alarm: Alarm, now_ms: int) -> Outcome:
        """Take that an alarm was written elsewhere with its last status change alone; what it changed since, stays."""
        entry = self._by_id.get(alarm.alarm_id)
        if entry is not None:
            entry.changes = compressed(entry.changes, alarm.changes)
            if entry.freeze() != alarm:
                self._draft.touch(entry)
        return self._outcome(now_ms)

    def set_windows(self, windows: Iterable[MaintenanceWindow], now_ms: int) -> Outcome:
        """Know these maintenance windows and no others.

        Raises:
            ValueError: too many, or one that ends before it begins.
        """
        self._maintenance.replace(windows)
        self._look_at_maintained(now_ms)
        return self._outcome(now_ms)

    # --- Time -------------------------------------------------------------------------------------------------

    def tick(self, now_ms: int) -> Outcome:
        """Do what became due; at most so much as one commit holds, so ask :meth:`due_ms` again."""
        if self._maintenance.end(now_ms):
            self._look_at_maintained(now_ms)
        self._tombstones.forget(now_ms)
        for _ in range(ALARMS_DUE_PER_TICK):
            entry = self._timetable.pop(now_ms)
            if entry is None:
                break
            if self._by_id.get(entry.alarm_id) is entry:
                self._look_at(entry, now_ms)
        return self._outcome(now_ms)

    def _look_at_maintained(self, now_ms: int) -> None:
        for entry in self._entries.values():
            if entry.suppression == "maintenance":
                self._timetable.plan(entry, now_ms)

    def _look_at(self, entry: Entry, now_ms: int) -> None:
        """Do whatever is due for one alarm, and plan the next look."""
        record = entry.record
        if record is not None and record.state is OperatorState.SHELVED and record.shelved_until_ms <= now_ms:
            entry.record = record = operator_rules.shelf_ended(record, now_ms)
            self._draft.operate(record)
        if entry.is_flapping and flapping.ends_ms(entry, self._policy) <= now_ms:
            self._calm(entry, now_ms)
        if entry.released_ms and entry.released_ms <= now_ms:
            entry.released_ms = 0
            self._doubt(self._correlation.members(entry), now_ms)
        if entry.spread_ms and entry.spread_ms <= now_ms:
            entry.spread_ms = 0
            below = [one for one in self._correlation.downstream(entry) if one is not entry]
            if below:
                self._doubt(below, now_ms)
        if entry.stands and (entry.is_doubtful or (entry.settle_ms and entry.settle_ms <= now_ms)):
            entry.settle_ms = 0
            entry.is_doubtful = False
            self._regroup(entry, self._correlation.explain(entry))
        if not entry.is_cleared:
            self._reconsider(entry, now_ms)
            self._escalate(entry, now_ms)
        elif self._outlook.has_to_leave(entry, now_ms):
            self._purge(entry, now_ms)
            return
        self._plan(entry, now_ms)

    def _calm(self, entry: Entry, now_ms: int) -> None:
        """Flapping is over: say once how it stands."""
        entry.is_flapping = False
        if entry.is_cleared:
            self._over(entry, now_ms)
            if entry.suppression == "flapping":
                entry.suppression = ""
        else:
            entry.is_doubtful = True
            self._draft.mention(entry, _REGROUPED)

    def _doubt(self, entries: Iterable[Entry], now_ms: int) -> None:
        """Look for the causes of alarms again, as soon as there is room in a batch."""
        for entry in sorted(entries, key=_id_of):
            entry.is_doubtful = True
            self._timetable.plan(entry, now_ms)

    def _reconsider(self, entry: Entry, now_ms: int) -> None:
        """Tell an alarm that stands as soon as nothing holds its notice back."""
        suppression = self._outlook.suppression(entry, now_ms)
        if suppression == entry.suppression:
            return
        entry.suppression = suppression
        is_notified = not suppression and self._policy.tells(Severity.CLEARED, entry.severity)
        entry.is_announced = entry.is_announced or is_notified
        self._draft.note(entry, _REGROUPED, now_ms, is_notified=is_notified)

    def _escalate(self, entry: Entry, now_ms: int) -> None:
        """Say that nobody has taken care of an alarm for too long."""
        steps = self._outlook.escalation(entry, now_ms)
        if steps > entry.escalation:
            entry.escalation = steps
            entry.is_announced = True
            self._draft.note(entry, ChangeKind.ESCALATED, now_ms, is_notified=True)

    def _plan(self, entry: Entry, now_ms: int) -> None:
        """Plan the next look at an alarm."""
        due_ms = self._outlook.next_ms(entry)
        if due_ms:
            self._timetable.plan(entry, max(due_ms, now_ms))

    # --- Groups and the list ----------------------------------------------------------------------------------

    def _regroup(self, entry: Entry, root: Entry | None) -> None:
        """Put an alarm under its root; roots whose number of symptoms changed are part of the outcome."""
        before = entry.root_cause
        for changed in self._correlation.group(entry, root):
            self._draft.mention(changed, _REGROUPED)
        if entry.root_cause != before:
            self._draft.mention(entry, _REGROUPED)

    def _has_room(self, signal: AlarmSignal, now_ms: int, *, is_stranger: bool) -> bool:
        """Make room for a new alarm where there is none: what has been cleared the longest goes."""
        wanting = self._room.wanting(signal, is_stranger=is_stranger)
        if wanting is None:
            return True
        oldest = self._room.oldest_cleared(wanting, signal.source)
        if oldest is None:
            self._room.refuse(wanting, signal, now_ms)
            return False
        self._purge(oldest, now_ms)
        return True

    def _purge(self, entry: Entry, now_ms: int) -> None:
        self._remove(entry, now_ms)
        self._draft.note(entry, ChangeKind.PURGED, now_ms, is_notified=True)

    def _remove(self, entry: Entry, now_ms: int) -> None:
        """Take an alarm from the list; its symptoms stand for themselves until they are looked at."""
        alarm_id = entry.alarm_id
        self._doubt(tuple(self._correlation.members(entry)), now_ms)
        for root in self._correlation.forget(entry):
            self._draft.mention(root, _REGROUPED)
        del self._entries[entry.key], self._by_id[alarm_id]
        self._room.remove(entry)
        self._tombstones.add(
            alarm_id, entry.last_signal_ms, now_ms, is_purge=True, is_strangers=entry.is_stranger
        )

    def _load(self, alarms: Iterable[Alarm], records: dict[str, OperatorRecord]) -> None:
        """Take up what the store has. What was under way is looked at in the first tick."""
        correlation = self._correlation
        for alarm in alarms:
            entry = thaw(alarm)
            entry.record = records.get(alarm.alarm_id)
            entry.raised_now_ms = entry.last_raised_ms
            self._entries[alarm.key] = self._by_id[alarm.alarm_id] = entry
            correlation.locate(entry)
            if len(entry.changes) > 1:
                flapping.recount(entry, self._policy)
            if entry.stands:
                correlation.stand(entry)
                if correlation.is_cause(entry):
                    entry.spread_ms = 1
        for entry in self._entries.values():
            if entry.stands and entry.root_cause:
                correlation.adopt(entry, self._by_id.get(entry.root_cause))
                entry.is_doubtful = True
            is_held = entry.suppression and not entry.is_cleared
            self._timetable.plan(entry, 1) if is_held or entry.is_doubtful else self._plan(entry, 0)
        for entry in sorted(self._entries.values(), key=_changed_ms_of):
            entry.is_stranger, entry.owner = self._room.is_stranger(entry.source), entry.source
            self._room.add(entry)

    def _outcome(self, now_ms: int) -> Outcome:
        """Everything since the last one."""
        for signal in self._room.take_news(now_ms):
            self._take_one(signal, now_ms)
        return self._draft.finish(self._by_id, self._tombstones, now_ms)


def _id_of(entry: Entry) -> str:
    return entry.alarm_id


def _changed_ms_of(entry: Entry) -> int:
    return entry.last_changed_ms
