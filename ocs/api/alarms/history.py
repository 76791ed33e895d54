"""What happened to alarms, over HTTP: the history in pages, newest first."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec
from litestar import get
from litestar.exceptions import HTTPException

from ocs.api.access import caller_name_of, needs
from ocs.api.alarms.conditions import ConditionError, count_of, each_once, moment_ms
from ocs.api.alarms.sifting import Turns
from ocs.api.alarms.words import operator_word, probable_cause_word
from ocs.api.problems import AnyRequest
from ocs.api.threads import ReaderUnavailableError, read_in_thread
from ocs.api.tmf.resources import date_time
from ocs.api.tokens import Scope
from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.history.question import HistoryQuery, HistoryRow
from ocs.faults.operator_axis import OperatorState
from ocs.limits import HISTORY_ROWS_PER_PAGE_MAX
from ocs.sql_error import SqlError

_NUMBER_MAX: Final = (1 << 63) - 1


class AlarmHistory(Protocol):
    """Where the history is read."""

    def find(self, query: HistoryQuery) -> list[HistoryRow]:
        """The changes that are asked for, newest first; blocks.

        Raises:
            SqlError: no answer, or the history was never written.
        """
        ...


class HistoryChangeView(msgspec.Struct, frozen=True):
    """One change, with the alarm as it was after it; `at` is when we took it, `device_at` the device's own time.

    `operator` and what follows are of who acted with this change.
    """

    number: int
    alarm_id: str
    kind: str
    at: str
    device_at: str
    resource: str
    alarm_type: str
    qualifier: str
    severity: str
    is_cleared: bool
    probable_cause: str
    text: str
    source: str
    occurrences: int
    root_cause: str | None
    suppression: str | None
    is_notified: bool
    operator: str
    operator_state: str
    operator_text: str
    assigned_to: str


class HistoryPageView(msgspec.Struct, frozen=True):
    """A page; `next_before` goes on with what is older, null at the end."""

    items: tuple[HistoryChangeView, ...]
    next_before: int | None


def history_route(history: AlarmHistory, turns: Turns) -> Any:
    """The route by which the history is read."""

    @get(
        "/api/v1/alarms/history",
        tags=["alarms"],
        **needs(Scope.ALARM_READ, reads_own_query=True, errors=(400,)),
    )
    async def list_alarm_history(request: AnyRequest) -> HistoryPageView:
        """List what happened, newest first: also to alarms that are gone.

        Conditions: `alarm_id`, `resource` (with what is within), `alarm_type`, `kind` (some), `since`, `until`;
        `limit`, and `before_number` to go on where `next_before` says.
        """
        try:
            query = read_history_query(each_once(request.query_params.multi_items()))
        except ConditionError as error:
            raise HTTPException(status_code=400, detail=str(error)) from None
        async with turns.turn_of(caller_name_of(request)):
            try:
                rows: list[HistoryRow] = await read_in_thread(history.find, query)
            except SqlError as error:
                raise ReaderUnavailableError(str(error)) from error
        is_full = len(rows) == query.limit
        return HistoryPageView(tuple(map(_view, rows)), rows[-1].change_number if is_full else None)

    return list_alarm_history


def _view(row: HistoryRow) -> HistoryChangeView:
    return HistoryChangeView(
        number=row.change_number,
        alarm_id=row.alarm_id,
        kind=row.kind,
        at=date_time(row.at_ms),
        device_at=date_time(row.device_ms),
        resource=row.resource,
        alarm_type=row.alarm_type,
        qualifier=row.qualifier,
        severity=severity_name(row.severity),
        is_cleared=row.is_cleared,
        probable_cause=probable_cause_word(row.probable_cause),
        text=row.text,
        source=row.source,
        occurrences=row.occurrences,
        root_cause=row.root_cause or None,
        suppression=row.suppression or None,
        is_notified=row.is_notified,
        operator=row.operator,
        operator_state=_state_name(row.operator_state),
        operator_text=row.operator_text,
        assigned_to=row.assigned_to,
    )


def severity_name(number: int) -> str:
    """A severity as it is kept; empty where there was none, as of what was purged unseen."""
    with contextlib.suppress(ValueError):
        return Severity(number).name.lower()
    return ""


def _state_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return operator_word(OperatorState(number))
    return ""


# --- Conditions ---------------------------------------------------------------------------------------------------


def _kinds(text: str) -> tuple[ChangeKind, ...]:
    wanted = text.split(",")
    if not set(wanted) <= set(ChangeKind):
        raise ConditionError(f"some of {', '.join(ChangeKind)} are expected, with commas between")
    return tuple(ChangeKind(name) for name in dict.fromkeys(wanted))


_CONDITIONS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "alarm_id": ("alarm_id", str),
    "resource": ("resource", str),
    "alarm_type": ("alarm_type", str),
    "kind": ("kinds", _kinds),
    "since": ("since_ms", moment_ms),
    "until": ("until_ms", moment_ms),
    "before_number": ("before_number", lambda text: count_of(text, 1, _NUMBER_MAX)),
    "limit": ("limit", lambda text: count_of(text, 1, HISTORY_ROWS_PER_PAGE_MAX)),
}


def read_history_query(parameters: Mapping[str, str]) -> HistoryQuery:
    """What is asked for.

    Raises:
        ConditionError: naming the parameter.
    """
    fields: dict[str, Any] = {}
    for name, text in parameters.items():
        if name not in _CONDITIONS:
            raise ConditionError(f"{name}: there is no such parameter")
        field, read = _CONDITIONS[name]
        try:
            fields[field] = read(text)
        except ConditionError as error:
            raise ConditionError(f"{name}: {error}") from None
    return HistoryQuery(**fields)
