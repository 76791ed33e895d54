"""What a rule asks of a varbind, and whether two rules can ever be met by one notification."""

from collections.abc import Callable, Sequence
from typing import Final

from ocs.faults.mibs import MibError, MibNames
from ocs.faults.mibs.display import Value
from ocs.faults.mibs.model import BaseType, MibType
from ocs.faults.notification import Varbind
from ocs.faults.rules.errors import EntryError
from ocs.faults.rules.references import Reference
from ocs.faults.rules.schema import ConditionSource, Written

_TESTS: Final = ("is_", "is_not", "at_least", "below", "contains", "starts_with", "is_present")

# The raw values that meet a condition.
Values = frozenset[int | bytes | str]


class Condition:
    """One condition, made ready to be asked often."""

    __slots__ = (
        "_source",
        "_test",
        "at_least",
        "below",
        "excludes",
        "is_present",
        "reference",
        "starts_with",
        "values",
    )

    def __init__(self, source: ConditionSource, reference: Reference, names: MibNames) -> None:
        if not any(getattr(source, test) is not None for test in _TESTS):
            raise EntryError((), f"expected one of {', '.join(test.rstrip('_') for test in _TESTS)}")
        self.reference = reference
        self._source = source
        self.values = _values(source.is_, "is", reference, names)
        self.excludes = _values(source.is_not, "is_not", reference, names)
        self.at_least, self.below = source.at_least, source.below
        self.starts_with = source.starts_with
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            raise EntryError(("below",), f"expected more than at_least, got {self.below}")
        if source.is_present is False and any(
            getattr(source, test) is not None for test in _TESTS if test != "is_present"
        ):
            raise EntryError(("is_present",), "expected no other test of a varbind that must be missing")
        # A varbind that was not sent meets only is_not, and its absence.
        self.is_present: bool | None = source.is_present
        if self.is_present is None and any(
            getattr(source, test) is not None
            for test in ("is_", "at_least", "below", "contains", "starts_with")
        ):
            self.is_present = True
        self._test = self._compiled()

    def holds(self, varbinds: Sequence[Varbind]) -> bool:
        """Whether a notification meets it."""
        varbind = self.reference.find(varbinds)
        if varbind is None:
            return not self.is_present
        return self.is_present is not False and self._test(varbind)

    def _compiled(self) -> Callable[[Varbind], bool]:
        """The cheapest test that asks for all of it; most conditions are one ``is``."""
        source, values = self._source, self.values
        if values is not None and all(
            getattr(source, test) is None for test in _TESTS if test not in {"is_", "is_present"}
        ):
            return lambda varbind: _raw(varbind.value) in values
        return self._meets

    def _meets(self, varbind: Varbind) -> bool:
        value = _raw(varbind.value)
        if self.values is not None and value not in self.values:
            return False
        if self.excludes is not None and value in self.excludes:
            return False
        if (self.at_least is not None or self.below is not None) and not self._is_within(value):
            return False
        source = self._source
        if source.contains is None and source.starts_with is None:
            return True
        text = self.reference.text(varbind)
        return (source.contains is None or source.contains in text) and (
            source.starts_with is None or text.startswith(source.starts_with)
        )

    def _is_within(self, value: Value) -> bool:
        return (
            isinstance(value, int)
            and (self.at_least is None or value >= self.at_least)
            and (self.below is None or value < self.below)
        )

    def describe(self) -> str:
        """The condition in words."""
        source = self._source
        parts: list[str] = []
        if source.is_ is not None:
            parts.append(f"is {_listed(source.is_)}")
        if source.is_not is not None:
            parts.append(f"is not {_listed(source.is_not)}")
        if source.at_least is not None:
            parts.append(f"is at least {source.at_least}")
        if source.below is not None:
            parts.append(f"is below {source.below}")
        if source.contains is not None:
            parts.append(f"contains {source.contains!r}")
        if source.starts_with is not None:
            parts.append(f"starts with {source.starts_with!r}")
        if source.is_present is not None:
            parts.append("was sent" if source.is_present else "was not sent")
        return f"{source.varbind} {' and '.join(parts)}"


def exclude_each_other(one: Sequence[Condition], other: Sequence[Condition]) -> bool:
    """Whether no notification can meet both lists, as far as single varbinds tell."""
    return any(
        _is_same_varbind(first, second) and (_excludes(first, second) or _excludes(second, first))
        for first in one
        for second in other
    )


def _is_same_varbind(one: Condition, other: Condition) -> bool:
    if one.reference.oid or other.reference.oid:
        return one.reference.oid == other.reference.oid
    return one.reference.written == other.reference.written


def _excludes(one: Condition, other: Condition) -> bool:
    if one.is_present and other.is_present is False:
        return True
    if not (one.is_present and other.is_present):
        # What was not sent meets the other one.
        return bool(
            one.values is not None and one.is_present and other.excludes and one.values <= other.excludes
        )
    if one.values is not None:
        if other.values is not None and not one.values & other.values:
            return True
        if other.excludes is not None and one.values <= other.excludes:
            return True
        if (other.at_least is not None or other.below is not None) and not any(
            isinstance(value, int)
            and (other.at_least is None or value >= other.at_least)
            and (other.below is None or value < other.below)
            for value in one.values
        ):
            return True
    if one.at_least is not None and other.below is not None and one.at_least >= other.below:
        return True
    first, second = one.starts_with, other.starts_with
    return bool(first and second and not first.startswith(second) and not second.startswith(first))


def _raw(value: Value) -> Value:
    return value.rstrip(b"\0") if isinstance(value, bytes) else value


def _values(
    written: Written | tuple[Written, ...] | None, key: str, reference: Reference, names: MibNames
) -> Values | None:
    if written is None:
        return None
    several = written if isinstance(written, tuple) else (written,)
    if not several:
        raise EntryError((key,), "expected at least one value")
    try:
        return frozenset(value for one in several for value in raw_values(one, reference.mib_type, names))
    except EntryError as error:
        raise error.within(key) from None


def raw_values(written: Written, mib_type: MibType | None, names: MibNames) -> list[int | bytes | str]:
    """What a device may send for a value that a rule names: the number of a label, octets of a text.

    Raises:
        EntryError: the varbind is an enumeration and has no such label.
    """
    if isinstance(written, int):
        return [written]
    labels = {} if mib_type is None or mib_type.base is BaseType.BITS else mib_type.labels
    if labels:
        numbers = [number for number, label in labels.items() if label == written]
        if not numbers and not written.lstrip("-").isdigit():
            known = ", ".join(list(labels.values())[:20])
            raise EntryError((), f"expected one of {known}, got {written!r}")
        return [*numbers, written.encode()] if numbers else [int(written)]
    if mib_type is not None and mib_type.base is BaseType.OID:
        try:
            return [names.oid_of(written)]
        except MibError as error:
            raise EntryError((), str(error)) from None
    # Nobody knows whether a device sends digits as a number or as text.
    number: list[int | bytes | str] = (
        [int(written)] if written.lstrip("-").isdigit() and written.isascii() else []
    )
    return [*number, written.encode()]


def _listed(written: Written | tuple[Written, ...]) -> str:
    several = written if isinstance(written, tuple) else (written,)
    return " or ".join(str(one) for one in several)
