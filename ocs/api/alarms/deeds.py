"""What clients do to alarms over HTTP, by the operators' desk; blocking, run in threads."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from litestar.exceptions import HTTPException, NotFoundException
from msgspec import UNSET

from ocs.api.alarms.resources import AlarmBody, AlarmPatch, CommentBody
from ocs.api.alarms.views import epoch_ms, system_text
from ocs.api.alarms.words import (
    ACKNOWLEDGED,
    SEVERITIES,
    UNACKNOWLEDGED,
    event_type_of,
    probable_cause_of,
    probable_cause_word,
)
from ocs.api.threads import ReaderUnavailableError, write_in_thread
from ocs.api.tmf.errors import TmfError
from ocs.clock import Clock
from ocs.faults.alarm import Alarm, AlarmKey, AlarmSignal, Severity
from ocs.faults.book.operator_rules import OperatorRuleError
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.faults.rules.probable_causes import OTHER_CAUSE
from ocs.faults.store.batch import StoreUnavailableError
from ocs.faults.store.desk import AlarmDesk, DeskBusyError, NoSuchAlarmError
from ocs.limits import ALARM_KEY_CHARACTERS_MAX, ALARM_TEXT_CHARACTERS_MAX

# What a name of a resource or a type may hold: it stands in tables, addresses and log lines.
_NAME: Final = re.compile(r"(?!.*[\x00-\x1f\x7f-\x9f])[^\s/](?:.*[^\s])?", re.DOTALL)


async def deed_in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Do something to alarms; what is done is done, whether or not the caller waits.

    Raises:
        HTTPException: 404 for an alarm that is not there, 409 for what its state does not allow.
        ReaderUnavailableError: the store does not answer; it may have been done, and doing it again is safe.
    """
    try:
        return await write_in_thread(function, *arguments)
    except NoSuchAlarmError:
        raise NotFoundException("there is no such alarm") from None
    except (OperatorRuleError, DeskBusyError) as error:
        raise HTTPException(status_code=409, detail=str(error)) from None
    except StoreUnavailableError as error:
        raise ReaderUnavailableError(str(error)) from error


class Deeds:
    """Operators' deeds as clients ask for them."""

    def __init__(self, desk: AlarmDesk, clock: Clock) -> None:
        self.desk = desk
        self.clock = clock

    def act(
        self, alarm_id: str, action: str, operator: str, text: str, more: dict[str, Any]
    ) -> OperatorRecord | None:
        """Do one thing, named as the native API names it; the record after it, None for a clear.

        Args:
            more: ``until_ms`` of a shelf, ``to`` of an assignment, ``parent`` of a group.
        """
        desk, now_ms = self.desk, self.clock.now_ms()
        doings: dict[str, Callable[..., OperatorRecord | None]] = {
            "acknowledge": desk.acknowledge,
            "unacknowledge": desk.unacknowledge,
            "assign": desk.assign,
            "comment": desk.comment,
            "shelve": desk.shelve,
            "unshelve": desk.unshelve,
            "close": desk.close,
            "group": desk.group,
            "ungroup": desk.ungroup,
            "clear": desk.clear,
        }
        return doings[action](alarm_id, operator, text, now_ms, **more)

    # --- TMF642 -----------------------------------------------------------------------------------------

    def patch(self, alarm_id: str, patch: AlarmPatch, caller: str) -> tuple[Alarm, OperatorRecord | None]:
        """Do what a patch says and is not so already; the alarm after it.

        Raises:
            TmfError: 400, it says what cannot be said.
        """
        alarm, record = self.desk.look(alarm_id)
        for doing in self._doings(patch, alarm, record, caller):
            doing(alarm_id)
        return self.desk.look(alarm_id)

    def _doings(
        self, patch: AlarmPatch, alarm: Alarm, record: OperatorRecord | None, caller: str
    ) -> list[Callable[[str], object]]:
        """All that is to be done, checked before any of it is done."""
        doings: list[Callable[[str], object]] = []
        state = OperatorState.NONE if record is None else record.state
        user = patch.ack_user_id or caller
        text = system_text(patch.ack_system_id)

        def then(action: str, operator: str, words: str, **more: Any) -> None:
            doings.append(lambda alarm_id: self.act(alarm_id, action, operator, words, more))

        _expect("ackState", patch.ack_state, "", ACKNOWLEDGED, UNACKNOWLEDGED)
        _expect("state", patch.state, "", "cleared")
        _expect("operatorState", patch.operator_state, "", "closed")
        if patch.shelved_until is None:
            if state is OperatorState.SHELVED:
                then("unshelve", user, "")
        elif patch.shelved_until is not UNSET:
            then("shelve", user, "", until_ms=epoch_ms(patch.shelved_until))
        if patch.ack_state == ACKNOWLEDGED and state not in {OperatorState.ACK, OperatorState.CLOSED}:
            then("acknowledge", user, text)
        elif patch.ack_state == UNACKNOWLEDGED and state is OperatorState.ACK:
            then("unacknowledge", user, text)
        if patch.assigned_to is not None and patch.assigned_to != (record.assigned_to if record else ""):
            then("assign", user, "", to=patch.assigned_to)
        said = {(one.operator, one.text) for one in record.comments} if record else set[tuple[str, str]]()
        for remark in patch.comment:
            who = remark.user_id or caller
            if (who, remark.comment) not in said:
                then("comment", who, remark.comment)
        if patch.operator_state and state is not OperatorState.CLOSED:
            then("close", user, text)
        if patch.state and not alarm.is_cleared:
            then("clear", patch.clear_user_id or caller, system_text(patch.clear_system_id))
        return doings

    def purge(self, alarm_id: str, caller: str) -> None:
        """Take an alarm that is over off the list.

        Raises:
            TmfError: 409, it stands.
        """
        self.desk.look(alarm_id)
        gone = self.desk.purge((alarm_id,), lambda alarm, _: alarm.is_cleared, caller, self.clock.now_ms())
        if not gone:
            raise TmfError(409, "the alarm stands: only what is over is taken off the list")

    def report(self, body: AlarmBody) -> AlarmSignal:
        """Take what a partner says of a resource; the owner of the list does it within a moment.

        Raises:
            TmfError: 400, naming the attribute.
        """
        signal = signal_of(body, self.clock.now_ms())
        self.desk.report(signal)
        return signal

    def perform(self, alarm_ids: Sequence[str], doing: Callable[[str], object]) -> list[str]:
        """Do something to many alarms; the ids of those whose state allowed it, or had it already."""
        done: list[str] = []
        for alarm_id in alarm_ids:
            try:
                doing(alarm_id)
            except (OperatorRuleError, NoSuchAlarmError, DeskBusyError):
                continue
            done.append(alarm_id)
        return done

    def acknowledging(self, user: str, system: str) -> Callable[[str], object]:
        """Acknowledges one alarm."""
        return partial(self._say, "acknowledge", {OperatorState.ACK, OperatorState.CLOSED}, user, system)

    def unacknowledging(self, user: str, system: str) -> Callable[[str], object]:
        """Takes the acknowledgement of one back."""
        return partial(self._say, "unacknowledge", {OperatorState.NONE}, user, system)

    def _say(self, action: str, already: set[OperatorState], user: str, system: str, alarm_id: str) -> None:
        _, record = self.desk.look(alarm_id)
        if (OperatorState.NONE if record is None else record.state) not in already:
            self.act(alarm_id, action, user, system_text(system), {})

    def clearing(self, user: str, system: str) -> Callable[[str], object]:
        """Clears one that its device never clears."""
        return lambda alarm_id: self.act(alarm_id, "clear", user, system_text(system), {})

    def commenting(self, comment: CommentBody, caller: str) -> Callable[[str], object]:
        """Puts a remark to one."""
        return lambda alarm_id: self.act(alarm_id, "comment", comment.user_id or caller, comment.comment, {})

    def grouping(self, action: str, parent: str, caller: str) -> Callable[[str], object]:
        """Puts one under a parent by ``group``, or takes it from there by ``ungroup``."""
        return lambda alarm_id: self.act(alarm_id, action, caller, "", {"parent": parent})


def signal_of(body: AlarmBody, now_ms: int) -> AlarmSignal:
    """What a device would have said.

    Raises:
        TmfError: 400, naming the attribute.
    """
    event_type = event_type_of(body.alarm_type)
    if event_type is None:
        raise TmfError(400, "alarmType: one of X.733 is expected, such as communicationsAlarm")
    severity = SEVERITIES.get(body.perceived_severity.lower())
    if severity is None:
        raise TmfError(400, f"perceivedSeverity: one of {', '.join(SEVERITIES)} is expected")
    _expect("state", body.state.lower(), "raised", "updated", "cleared")
    if body.state.lower() == "cleared":
        severity = Severity.CLEARED
    cause = probable_cause_of(body.probable_cause)
    named = body.specific_problem or (
        probable_cause_word(cause) if cause != OTHER_CAUSE else body.probable_cause
    )
    alarm_type, _, qualifier = named.partition(":")
    for name, value in (("alarmedObject.id", body.alarmed_object.id), ("specificProblem", alarm_type)):
        if _NAME.fullmatch(value) is None or len(value) > ALARM_KEY_CHARACTERS_MAX:
            raise TmfError(
                400, f"{name}: a name of at most {ALARM_KEY_CHARACTERS_MAX} characters is expected"
            )
    return AlarmSignal(
        key=AlarmKey(body.alarmed_object.id, alarm_type, qualifier[:ALARM_KEY_CHARACTERS_MAX]),
        severity=severity,
        at_ms=min(epoch_ms(_moment_of(body, is_over=severity is Severity.CLEARED)), now_ms),
        event_type=event_type,
        probable_cause=cause,
        text=(body.alarm_details or named)[:ALARM_TEXT_CHARACTERS_MAX],
        source=body.source_system_id[:ALARM_KEY_CHARACTERS_MAX],
        details=(("externalAlarmId", body.external_alarm_id),) if body.external_alarm_id else (),
        repair=body.proposed_repaired_actions[:ALARM_TEXT_CHARACTERS_MAX],
    )


def _moment_of(body: AlarmBody, *, is_over: bool) -> datetime:
    if is_over and body.alarm_cleared_time is not None:
        return body.alarm_cleared_time
    return body.alarm_changed_time or body.alarm_raised_time


def _expect(name: str, value: str, *allowed: str) -> None:
    if value not in allowed:
        raise TmfError(400, f"{name}: {' or '.join(word for word in allowed if word)} is expected")
