"""Which alarms a request of the native API means, from its parameters. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from ocs.api.alarms.views import epoch_ms
from ocs.faults.alarm import Severity
from ocs.faults.operator_axis import OperatorState
from ocs.faults.view.selection import AlarmFilter, Order, PageRequest
from ocs.limits import ALARM_ROWS_PER_PAGE_MAX

_OFFSET_MAX: Final = 10**9


class ConditionError(ValueError):
    """A parameter is unknown or its value is none; ``str()`` names it."""


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ConditionError("true or false is expected")
    return text == "true"


def _severities(text: str) -> frozenset[Severity]:
    names = {severity.name.lower(): severity for severity in Severity if severity > Severity.CLEARED}
    wanted = text.split(",")
    if not all(name in names for name in wanted):
        raise ConditionError(f"some of {', '.join(names)} are expected, with commas between")
    return frozenset(names[name] for name in wanted)


def _states(text: str) -> frozenset[OperatorState]:
    names = {state.name.lower().replace("_", "-"): state for state in OperatorState}
    wanted = text.split(",")
    if not all(name in names for name in wanted):
        raise ConditionError(f"some of {', '.join(names)} are expected, with commas between")
    return frozenset(names[name] for name in wanted)


def moment_ms(text: str) -> int:
    """A date and time in milliseconds.

    Raises:
        ConditionError: it is none.
    """
    try:
        return epoch_ms(datetime.fromisoformat(text))
    except ValueError:
        raise ConditionError("a date and time is expected, such as 2026-01-31T12:00:00Z") from None


# Parameter -> the filter's field, and how its text is read.
CONDITIONS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "severity": ("severities", _severities),
    "cleared": ("is_cleared", _flag),
    "seen_to": ("is_seen_to", _flag),
    "shelved": ("is_shelved", _flag),
    "operator_state": ("operator_states", _states),
    "assigned_to": ("assigned_to", str),
    "resource": ("resource", str),
    "alarm_type": ("alarm_type", str),
    "source": ("source", str),
    "symptom": ("is_symptom", _flag),
    "root_cause": ("root_cause", str),
    "parent": ("parent", str),
    "suppressed": ("is_suppressed", _flag),
    "service": ("service", str),
    "since": ("changed_since_ms", moment_ms),
    "before": ("changed_before_ms", moment_ms),
    "text": ("text", str),
}


def each_once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters of a query by their names.

    Raises:
        ConditionError: one stands there twice.
    """
    found: dict[str, str] = {}
    for name, text in pairs:
        if name in found:
            raise ConditionError(f"{name}: it stands there twice")
        found[name] = text
    return found


def read_filter(parameters: Mapping[str, str]) -> AlarmFilter:
    """The alarms that are meant.

    Raises:
        ConditionError: naming the parameter.
    """
    fields: dict[str, Any] = {}
    for name, text in parameters.items():
        if name not in CONDITIONS:
            raise ConditionError(f"{name}: there is no such parameter")
        field, read = CONDITIONS[name]
        try:
            fields[field] = read(text)
        except ConditionError as error:
            raise ConditionError(f"{name}: {error}") from None
    return AlarmFilter(**fields)


def read_page(parameters: Mapping[str, str]) -> PageRequest:
    """The part of the list that is meant: ``sort=-changed&offset=0&limit=100``.

    Raises:
        ConditionError: naming the parameter.
    """
    order = parameters.get("sort", "-changed")
    name = order.removeprefix("-")
    if name not in set(Order):
        raise ConditionError(f"sort: one of {', '.join(Order)} is expected, with a minus before it to fall")
    return PageRequest(
        order=Order(name),
        is_descending=order.startswith("-"),
        offset=_count("offset", parameters.get("offset", "0"), 0, _OFFSET_MAX),
        limit=_count("limit", parameters.get("limit", "100"), 1, ALARM_ROWS_PER_PAGE_MAX),
    )


def _count(name: str, text: str, least: int, most: int) -> int:
    try:
        return count_of(text, least, most)
    except ConditionError as error:
        raise ConditionError(f"{name}: {error}") from None


def count_of(text: str, least: int, most: int) -> int:
    """A whole number within bounds.

    Raises:
        ConditionError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and least <= int(text) <= most):
        raise ConditionError(f"a number from {least} to {most} is expected")
    return int(text)
