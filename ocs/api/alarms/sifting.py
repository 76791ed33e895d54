"""Asks conditions of many alarms, with a bound on the work and turns for callers.

An answer follows from one attribute, and most alarms share theirs with many others: it is found once for each value and
remembered. Times and names, of which there are as many as alarms, are compared as they are, without being shown.
"""

from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import trio

from ocs.api.alarms.views import AlarmResource, object_type_of, state_of
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.query import COMPARISONS, Filter, moment_of
from ocs.faults.view.selection import AlarmRow
from ocs.limits import ALARM_SEARCH_STEPS_MAX, ALARM_SEARCHES_WAITING_MAX

# Others are served after so many alarms were looked at.
_AT_A_TIME: Final = 250
# Showing an attribute and comparing it with one value take as long as so many looks.
_STEPS_OF_SHOWING: Final = 30
_STEPS_OF_COMPARING: Final = 10
# Sorting by what must be shown cannot be done in slices: ten thousand alarms are sorted so.
_STEPS_OF_SORTING: Final = 200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Test = Callable[[AlarmRow], bool]
Key = Callable[[AlarmRow], Hashable]

# Attribute -> what it follows from, times in ms. What operators said is one object for as long as rows are held.
_TIMES: Final[dict[str, Callable[[AlarmRow], int | None]]] = {
    "alarmRaisedTime": lambda row: row.alarm.last_raised_ms,
    "alarmReportingTime": lambda row: row.alarm.created_ms,
    "alarmChangedTime": lambda row: row.alarm.last_changed_ms,
    "alarmClearedTime": lambda row: row.alarm.last_changed_ms if row.alarm.is_cleared else None,
}
# A resource is found by either of its names.
_NAMES: Final[dict[tuple[str, ...], Callable[[AlarmRow], tuple[str, ...]]]] = {
    ("id",): lambda row: (row.alarm.alarm_id,),
    ("alarmedObject", "id"): lambda row: (row.alarm.key.resource, row.name),
    ("alarmDetails",): lambda row: (row.alarm.text,),
    ("sourceSystemId",): lambda row: (row.alarm.source,),
}
KEYS: Final[dict[str, Key]] = {
    **_TIMES,
    "id": lambda row: row.alarm.alarm_id,
    "href": lambda row: row.alarm.alarm_id,
    "ackState": lambda row: row.state,
    "alarmType": lambda row: row.alarm.event_type,
    "perceivedSeverity": lambda row: row.alarm.is_cleared or row.alarm.severity,
    "probableCause": lambda row: row.alarm.probable_cause,
    "specificProblem": lambda row: (row.alarm.key.alarm_type, row.alarm.key.qualifier),
    "state": lambda row: state_of(row.alarm),
    "alarmedObject": lambda row: (row.alarm.key.resource, row.name),
    "alarmedObjectType": lambda row: object_type_of(row.alarm.key.resource),
    "alarmDetails": lambda row: row.alarm.text,
    "alarmEscalation": lambda row: row.alarm.escalation,
    "isRootCause": lambda row: row.alarm.symptoms > 0 and not row.alarm.root_cause,
    "parentAlarm": lambda row: row.parents,
    "proposedRepairedActions": lambda row: row.alarm.repair,
    "plannedOutageIndicator": lambda row: row.alarm.suppression,
    "sourceSystemId": lambda row: row.alarm.source,
    "serviceAffecting": lambda row: bool(row.alarm.affected_services),
    "affectedService": lambda row: row.alarm.affected_services,
    "affectedSubscribers": lambda row: row.alarm.affected_subscribers,
    "occurrences": lambda row: row.alarm.occurrences,
    "suppression": lambda row: row.alarm.suppression,
    **dict.fromkeys(
        ("ackUserId", "ackSystemId", "comment", "operatorState", "assignedTo", "shelvedUntil"),
        lambda row: id(row.operator),
    ),
}


class SearchWork:
    """What one request may still cost.

    Attributes:
        steps: spent so far; one is a look at one alarm.
    """

    def __init__(self, steps_max: int = ALARM_SEARCH_STEPS_MAX) -> None:
        self.steps = 0
        self._steps_max = steps_max

    def spend(self, steps: int, about: str) -> None:
        """Take note of work before it is done.

        Raises:
            TmfError: 400, the request asks for more than anybody may have.
        """
        self.steps += steps
        if self.steps > self._steps_max:
            raise TmfError(
                400,
                f"{about}: there are too many alarms to ask all of them this; narrow it by state, perceivedSeverity,"
                " ackState, sourceSystemId, alarmedObject.id, affectedService.id or parentAlarm.id",
            )

    def spend_on_sorting(self, alarms: int, paths: Sequence[tuple[str, ...]]) -> None:
        """Take note of sorting by attributes that must be shown for it."""
        self.spend(_STEPS_OF_SORTING * alarms * len(paths), "sort")


async def sift(rows: Sequence[AlarmRow], conditions: Sequence[Filter], work: SearchWork) -> list[AlarmRow]:
    """Those of which all conditions hold, in their order; others are served meanwhile.

    Raises:
        TmfError: 400, it is more work than one request may cost.
    """
    tests = [(".".join(one.path), _test_of(one, work)) for one in conditions]
    found: list[AlarmRow] = []
    for first in range(0, len(rows), _AT_A_TIME):
        await trio.lowlevel.checkpoint()
        some = list(rows[first : first + _AT_A_TIME])
        for name, test in tests:
            work.spend(len(some), name)
            some = [row for row in some if test(row)]
        found += some
    return found


def _test_of(condition: Filter, work: SearchWork) -> Test:
    path = condition.path
    if path[0] in _TIMES and len(path) == 1:
        return _time_test(condition, _TIMES[path[0]], work)
    remembered = _remembering_test(condition, KEYS.get(path[0], _same), work)
    if path in _NAMES and not condition.comparison:
        return _name_test(condition, _NAMES[path], remembered)
    return remembered


def _same(row: AlarmRow) -> None:
    """What a list shows alike of every alarm, or of none."""


def _time_test(condition: Filter, time_of: Callable[[AlarmRow], int | None], work: SearchWork) -> Test:
    moments = [moment for value in condition.values if (moment := moment_of(value)) is not None]
    bounds = {(moment - _EPOCH) // _MICROSECOND for moment in moments}
    compare = COMPARISONS.get(condition.comparison)

    def test(row: AlarmRow) -> bool:
        at_ms = time_of(row)
        if at_ms is None:
            return False
        if compare is None:
            return at_ms * 1000 in bounds
        work.spend(len(bounds), condition.path[0])
        return any(compare(at_ms * 1000, bound) for bound in bounds)

    return test


def _name_test(condition: Filter, names_of: Callable[[AlarmRow], tuple[str, ...]], otherwise: Test) -> Test:
    wanted = frozenset(condition.values)

    def test(row: AlarmRow) -> bool:
        names = names_of(row)
        if not wanted.isdisjoint(names):
            return True
        # What looks like a time is equal to one that is written otherwise; an address of IPv6 does not.
        return names[0][:4].isdigit() and names[0][4:5] not in {"", ":"} and otherwise(row)

    return test


def _remembering_test(condition: Filter, key_of: Key, work: SearchWork) -> Test:
    answers: dict[Hashable, bool] = {}
    steps = _STEPS_OF_SHOWING + _STEPS_OF_COMPARING * len(condition.values)
    name = ".".join(condition.path)

    def test(row: AlarmRow) -> bool:
        key = key_of(row)
        answer = answers.get(key)
        if answer is None:
            work.spend(steps, name)
            answer = answers[key] = condition.matches(AlarmResource(row.alarm, row.operator, row.name))
        return answer

    return test


class Turns:
    """Lets a caller search once at a time, so that many searches of one hold up nobody else."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[trio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def turn_of(self, caller: str) -> AsyncGenerator[None]:
        """Wait for the caller's turn; it is over at the end of the block, or when it is cancelled.

        Raises:
            TmfError: 429, too many of his searches wait already.
        """
        semaphore, waiting = self._lines.setdefault(caller, (trio.Semaphore(1), []))
        if len(waiting) > ALARM_SEARCHES_WAITING_MAX:
            raise TmfError(429, "your other searches are not done yet: ask again when one of them is")
        waiting.append(None)
        try:
            async with semaphore:
                yield
        finally:
            waiting.pop()
            if not waiting:
                del self._lines[caller]
