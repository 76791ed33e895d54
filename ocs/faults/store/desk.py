"""What operators do to alarms, from any process: acknowledge, assign, comment, shelve, close, purge.

A deed is decided by :mod:`ocs.faults.book.operator_rules` on the record as it stands, and written if that still stands
then; the owner of the list and every view learn of it by the stream. Blocks: under trio by ``to_thread``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import structlog

from ocs.balance.store import TokenSource
from ocs.faults.alarm import Alarm, AlarmSignal
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book import operator_rules
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.store.batch import AlarmStoreError, encode_record, frame_change
from ocs.faults.store.desk_door import Deed, DeskDoor, Held, Removal
from ocs.limits import ALARM_DESK_ATTEMPTS_MAX, ALARMS_PER_PAGE

log = structlog.get_logger()

Rule = Callable[[OperatorRecord | None, Alarm], OperatorRecord]
# Which alarms a purge takes: the alarm and what operators said of it.
Choice = Callable[[Alarm, OperatorRecord | None], bool]


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

    def clear(self, alarm_id: str, operator: str, text: str, now_ms: int) -> None:
        """Have an alarm cleared that its device never clears; the owner of the list does it within a moment."""
        alarm, _ = self.look(alarm_id)
        self.report(operator_rules.clear_signal(alarm, operator, text, now_ms))

    def report(self, signal: AlarmSignal) -> None:
        """Have the owner of the list take what somebody says instead of a device; it does so within a moment."""
        self._door.order(self._tokens.next().hex(), signal)

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
        wanted = list(alarm_ids)
        gone: list[str] = []
        for first in range(0, len(wanted), ALARMS_PER_PAGE):
            gone += self._purge_page(wanted[first : first + ALARMS_PER_PAGE], choice, now_ms)
        log.info("alarms_purged", operator=operator, alarms=len(gone))
        return gone

    def _purge_page(self, alarm_ids: Sequence[str], choice: Choice, now_ms: int) -> list[str]:
        gone: list[str] = []
        for _ in range(ALARM_DESK_ATTEMPTS_MAX):
            held = dict(zip(alarm_ids, self._door.look(alarm_ids), strict=True))
            removals = [
                self._removal(alarm_id, found, now_ms)
                for alarm_id, found in held.items()
                if found.alarm is not None and choice(found.alarm, found.record)
            ]
            if not removals:
                break
            removed = self._door.remove(removals)
            gone += removed
            alarm_ids = [removal.alarm_id for removal in removals if removal.alarm_id not in removed]
        return gone

    def _removal(self, alarm_id: str, held: Held, now_ms: int) -> Removal:
        head, tail = frame_change(_Fact(ChangeKind.PURGED, alarm_id, now_ms), self._tokens.next(), 0)
        return Removal(alarm_id, held.alarm_token, held.record_token, head, tail)

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
