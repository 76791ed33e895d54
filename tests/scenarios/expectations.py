"""What a scenario expects of a message, compared with what came; each difference is a line in words."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from tests.scenarios.avps import Found, ScenarioError, definition_of, number_of, word_of

_BOUNDS: Final = frozenset({"at_least", "at_most"})
_WITHIN: Final = frozenset({"within_s"})
# In an expected group: names of AVPs that it must not have.
_ABSENT: Final = "absent"


def differences(expected: Mapping[str, Any], found: Found, where: str = "") -> list[str]:
    """Everything that is not as expected; AVPs that are not named may be there.

    An AVP that is expected once must be there once; a list expects just so many, in this order.

    Raises:
        ScenarioError: the expectation is none.
    """
    told: list[str] = []
    for name, wanted in expected.items():
        if name == _ABSENT:
            told += [
                f"{where}{banned} is there, and should not be"
                for banned in _names(wanted, where)
                if banned in found
            ]
            continue
        definition_of(name, where)
        values, each = found.get(name, []), wanted if isinstance(wanted, list) else [wanted]
        if len(values) != len(each):
            told.append(f"{where}{name} is there {_times(len(values))}, expected {_times(len(each))}")
            continue
        for number, (one, value) in enumerate(zip(each, values, strict=True), 1):
            path = f"{where}{name}" if len(each) == 1 else f"{where}{name}[{number}]"
            told += _compare(name, one, value, path)
    return told


def _names(wanted: Any, where: str) -> list[str]:
    if not isinstance(wanted, list):
        raise ScenarioError(f"{where}absent is a list of names")
    for name in wanted:
        definition_of(name, where)
    return wanted


def _compare(name: str, wanted: Any, value: Any, path: str) -> list[str]:
    if isinstance(wanted, Mapping) and wanted and set(wanted) <= _BOUNDS:
        low, high = wanted.get("at_least", value), wanted.get("at_most", value)
        if low <= value <= high:
            return []
        bounds = " and ".join(f"{bound.replace('_', ' ')} {limit}" for bound, limit in wanted.items())
        return [f"{path} is {value}, expected {bounds}"]
    if isinstance(wanted, Mapping) and frozenset(wanted) == _WITHIN:
        now = dt.datetime.now(dt.UTC)
        moment = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        if now - dt.timedelta(seconds=1) <= moment <= now + dt.timedelta(seconds=wanted["within_s"]):
            return []
        return [f"{path} is {moment}, expected within {wanted['within_s']} s after {now}"]
    if isinstance(value, dict):
        if not isinstance(wanted, Mapping):
            raise ScenarioError(f"{path} is a group: write a table")
        return differences(wanted, value, f"{path}.")
    if isinstance(wanted, Mapping):
        raise ScenarioError(f"{path} is no group")
    number = number_of(name, wanted, path) if isinstance(wanted, str) and isinstance(value, int) else wanted
    if number == value:
        return []
    shown = word_of(name, value) if isinstance(value, int) else repr(value)
    return [f"{path} is {shown}, expected {wanted if isinstance(value, int) else repr(wanted)}"]


def _times(count: int) -> str:
    return {0: "not at all", 1: "once", 2: "twice"}.get(count, f"{count} times")
