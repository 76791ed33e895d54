"""What operators do to alarms, from any process: acknowledge, assign, comment, shelve, close, group, purge, compress.

A deed is decided by :mod:`ocs.faults.book.operator_rules` on the record as it stands, and written if that still stands
then; the owner of the list and every view learn of it by the stream. Blocks: under trio by ``to_thread``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
import structlog

from ocs.balance.store import TokenSource
from ocs.faults.alarm import Alarm, AlarmSignal
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book import operator_rules
from ocs.faults.book.administration import compressed
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.store.batch import AlarmStoreError, encode_alarm, encode_record, frame_change
from ocs.faults.store.desk_door import Compression, Deed, DeskDoor, Held, Removal
from ocs.limits import ALARM_DESK_ATTEMPTS_MAX, ALARM_GROUP_DEPTH_MAX, ALARMS_PER_PAGE

log = structlog.get_logger()

Rule = Callable[[OperatorRecord | None, Alarm], OperatorRecord]
# Which alarms a purge or a compression takes: the alarm and what operators said of it.
Choice = Callable[[Alarm, OperatorRecord | None], bool]
# What is done to alarms as they were looked at; returns the ids of those that it was done to.
Work = Callable[[dict[str, Held]], list[str]]


class NoSuchAlarmError(AlarmStoreError):
    """The list has no such alarm (any more)."""


class DeskBusyError(AlarmStoreError):
    """Others acted on the alarm each time; nothing was done."""


class _Fact(NamedTuple):
    kind: ChangeKind
    alarm_id: str
    at_ms: int
    is_notified: bool = True


class AlarmDesk:
    """Operators' deeds. Threads may share it.

    Each deed returns the record after it, or raises:
        OperatorRuleError: the alarm's state does not allow it; nothing was done.
        NoSuchAlarmError: there is none. DeskBusyError: others were always faster.
        StoreUnavailableError: the outcome is unknown; doing it again is safe.
    """

    def __init__(self, door: DeskDoor) -> None:
        self._door = door
        self._tokens = TokenSource()

    def look(self, alarm_id: str) -> tuple[Alarm, OperatorRecord | None]:
        """An alarm and what operators said of it, as they stand.

        Raises:
            NoSuchAlarmError: there is none. StoreUnavailableError: no answer.
        """
        (held,) = self._door.look((alarm_id,))
        if held.alarm is None:
            raise NoSuchAlarmError(f"there is no alarm {alarm_id!r}")
        return held.alarm, held.record

    def acknowledge(self, alarm_id: str, operator: str, text: str, now_ms: int) -> OperatorRecord:
        """Say that somebody has seen it."""
        return self._act(
            alarm_id,
            lambda record, alarm: operator_rules.acknowledge(record, alarm, operator, text, now_ms),
            now_ms,
        )

    def unacknowledge(self, alarm_id: str, operator: str, text: str, now_ms: int) -> OperatorRecord:
        """Take an acknowledgement back."""
        return self._act(
            alarm_id,
            lambda record, alarm: operator_rules.unacknowledge(record, alarm, operator, text, now_ms),
            now_ms,
        )

    def assign(self, alarm_id: str, operator: str, text: str, now_ms: int, *, to: str) -> OperatorRecord:
        """Give it to a person or a group; empty ``to`` to nobody."""
        return self._act(
            alarm_id,
            lambda record, alarm: operator_rules.assign(
                record, alarm, operator, text, now_ms, assigned_to=to
            ),
            now_ms,
        )

    def comment(self, alarm_id: str, operator: str, text: str, now_ms: int) -> OperatorRecord:
        """Put a remark to it."""
        return self._act(
            alarm_id,
            lambda record, alarm: operator_rules.comment(record, alarm, operator, text, now_ms),
            now_ms,
        )

    def shelve(
        self, alarm_id: str, operator: str, text: str, now_ms: int, *, until_ms: int
    ) -> OperatorRecord:
        """Tell nobody of it until then."""
        return self._act(
            alarm_id,
            lambda record, alarm: operator_rules.shelve(
                record, alarm, operator, text, now_ms, until_ms=until_ms
            ),
            now_ms,
        )

    def unshelve(self, alarm_id: str, operator: str, text: str, now_ms: int) -> OperatorRecord:
        """Tell of it again."""
        return self._act(
            alarm_id,
            lambda record, alarm: operator_rules.unshelve(record, alarm, operator, text, now_ms),
            now_ms,
        )

    def close(self, alarm_id: str, operator: str, text: str, now_ms: int) -> OperatorRecord:
        """Say that it is done with, whatever the device says."""
        return self._act(
            alarm_id,
            lambda record, alarm: operator_rules.close(record, alarm, operator, text, now_ms),
            now_ms,
        )

    def group(self, alarm_id: str, operator: str, text: str, now_ms: int, *, parent: str) -> OperatorRecord:
        """Put it under another alarm by hand; from under a third one it moves. Both must be in the list."""
        above = self._parents_above(parent)
        return self._act(
            alarm_id,
            lambda record, alarm: operator_rules.group(
                record, alarm, operator, text, now_ms, parent=parent, parents_above=above
            ),
            now_ms,
        )

    def ungroup(self, alarm_id: str, operator: str, text: str, now_ms: int, *, parent: str) -> OperatorRecord:
        """Take it from under the alarm that operators had put it under."""
        return self._act(
            alarm_id,
            lambda record, alarm: operator_rules.ungroup(
                record, alarm, operator, text, now_ms, parent=parent
            ),
            now_ms,
        )

    def _parents_above(self, alarm_id: str) -> list[str]:
        """What an alarm is grouped under by hand, upwards; two who group at once may still make a ring."""
        _, record = self.look(alarm_id)
        above: list[str] = []
        while record is not None and record.grouped_under and record.grouped_under not in above:
            if len(above) >= ALARM_GROUP_DEPTH_MAX:
                raise operator_rules.OperatorRuleError("too many alarms are grouped under each other")
            above.append(record.grouped_under)
            (held,) = self._door.look(above[-1:])
            record = held.record
        return above

    def clear(self, alarm_id: str, operator: str, text: str, now_ms: int) -> None:
        """Have an alarm cleared that its device never clears; the owner of the list does it within a moment."""
        alarm, _ = self.look(alarm_id)
        self.report(operator_rules.clear_signal(alarm, operator, text, now_ms))

    def report(self, signal: AlarmSignal) -> None:
        """Have the owner of the list take what somebody says instead of a device; it does so within a moment."""
        self._door.order(self._tokens.next().hex(), msgspec.structs.replace(signal, is_vouched=True))

    def _act(self, alarm_id: str, rule: Rule, now_ms: int) -> OperatorRecord:
        token = self._tokens.next()
        for _ in range(ALARM_DESK_ATTEMPTS_MAX):
            (held,) = self._door.look((alarm_id,))
            if held.alarm is None:
                break
            record = rule(held.record, held.alarm)
            if record == held.record:
                return record  # said before: nobody is told again
            head, tail = frame_change(_Fact(ChangeKind.OPERATED, alarm_id, now_ms), token, 0)
            done = self._door.do(Deed(alarm_id, held.record_token, token, encode_record(record), head, tail))
            if done:
                return record
            if done is None:
                break
        else:
            raise DeskBusyError(f"alarm {alarm_id!r} is acted on by others all the time")
        raise NoSuchAlarmError(f"there is no alarm {alarm_id!r}")

    # --- Administration ---------------------------------------------------------------------------------

    def purge(self, alarm_ids: Iterable[str], choice: Choice, operator: str, now_ms: int) -> list[str]:
        """Take alarms off the list that a filter chose; those that changed meanwhile are looked at again.

        Args:
            alarm_ids: from a view. choice: the filter, asked again with what stands: a view may be behind.

        Returns:
            The ids of what is gone.

        Raises:
            StoreUnavailableError: no answer; some may be gone.
        """

        def remove(held: dict[str, Held]) -> list[str]:
            return self._door.remove([self._removal(*one, now_ms) for one in held.items()])

        gone = self._administer(list(alarm_ids), choice, remove)
        log.info("alarms_purged", operator=operator, alarms=len(gone))
        return gone

    def compress(self, alarm_ids: Iterable[str], choice: Choice, operator: str, now_ms: int) -> list[str]:
        """Have alarms that a filter chose forget all but their last status change (RFC 8632 compress-alarms).

        Args:
            alarm_ids: from a view. choice: the filter, asked again with what stands: a view may be behind.

        Returns:
            The ids of those that had more than one.

        Raises:
            StoreUnavailableError: no answer; some may be compressed.
        """

        def is_long(alarm: Alarm, record: OperatorRecord | None) -> bool:
            return len(alarm.changes) > 1 and choice(alarm, record)

        def compress(held: dict[str, Held]) -> list[str]:
            return self._door.compress([self._compression(*one, now_ms) for one in held.items()])

        done = self._administer(list(alarm_ids), is_long, compress)
        log.info("alarms_compressed", operator=operator, alarms=len(done))
        return done

    def _administer(self, alarm_ids: Sequence[str], choice: Choice, work: Work) -> list[str]:
        """Work on what was chosen, page by page; what changed meanwhile is looked at again."""
        done: list[str] = []
        for first in range(0, len(alarm_ids), ALARMS_PER_PAGE):
            left = alarm_ids[first : first + ALARMS_PER_PAGE]
            for _ in range(ALARM_DESK_ATTEMPTS_MAX):
                held = {
                    alarm_id: found
                    for alarm_id, found in zip(left, self._door.look(left), strict=True)
                    if found.alarm is not None and choice(found.alarm, found.record)
                }
                if not held:
                    break
                worked = set(work(held))
                done += worked
                left = [alarm_id for alarm_id in held if alarm_id not in worked]
        return done

    def _removal(self, alarm_id: str, held: Held, now_ms: int) -> Removal:
        head, tail = frame_change(_Fact(ChangeKind.PURGED, alarm_id, now_ms), self._tokens.next(), 0)
        return Removal(alarm_id, held.alarm_token, held.record_token, head, tail)

    def _compression(self, alarm_id: str, held: Held, now_ms: int) -> Compression:
        token = self._tokens.next()
        fact = _Fact(ChangeKind.COMPRESSED, alarm_id, now_ms, is_notified=False)
        head, tail = frame_change(fact, token, 0)
        alarm = held.alarm
        if alarm is None:
            raise ValueError("only what is in the list is compressed")
        short = msgspec.structs.replace(alarm, changes=compressed(alarm.changes))
        return Compression(alarm_id, held.alarm_token, token, encode_alarm(short), head, tail)

    # --- Maintenance windows ----------------------------------------------------------------------------

    def windows(self) -> dict[str, bytes]:
        """Maintenance windows by id, as they were written."""
        return self._door.windows()

    def set_window(self, window_id: str, value: bytes) -> None:
        """Write a maintenance window; the owner of the list looks for it (:meth:`windows`)."""
        self._door.set_window(window_id, value)

    def remove_window(self, window_id: str) -> None:
        """End a maintenance window."""
        self._door.set_window(window_id, None)
