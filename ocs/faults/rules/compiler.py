"""Rules as written to rules that answer quickly: names resolved, texts taken apart, numbers looked up once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from ocs.faults.alarm import AlarmKey, AlarmSignal, EventType, Severity
from ocs.faults.mibs import MibError, MibNames
from ocs.faults.mibs.display import Value, shortened
from ocs.faults.mibs.model import BaseType, MibObject, MibType
from ocs.faults.notification import Notification, Varbind
from ocs.faults.rules.conditions import Condition, raw_values
from ocs.faults.rules.errors import EntryError
from ocs.faults.rules.familiar import ELEMENT_MARK, FamiliarSignal
from ocs.faults.rules.probable_causes import CAUSE_NUMBERS, OTHER_CAUSE, PROBABLE_CAUSES
from ocs.faults.rules.references import Reference
from ocs.faults.rules.schema import NumberSource, RuleSource, SeveritySource, SignalSource
from ocs.faults.rules.severities import CODINGS, severity_named
from ocs.faults.rules.templates import Template, alarm_text, key_text
from ocs.limits import DETAILS_PER_SIGNAL_MAX, DETAILS_UNASKED

_EVENT_TYPES: Final = {
    "".join(
        word if place == 0 else word.title() for place, word in enumerate(one.name.lower().split("_"))
    ): one
    for one in EventType
}

_T = TypeVar("_T")
Details = tuple[tuple[str, str], ...]


class CompiledRule:
    """One rule, ready.

    Attributes:
        rule_id: as written. trap_oid: of the notification, or of what stands above all it is about.
        is_prefix: it is about everything below ``trap_oid``.
    """

    __slots__ = ("conditions", "is_prefix", "resynchronise", "rule_id", "signals", "trap_oid")

    def __init__(self, source: RuleSource, names: MibNames) -> None:
        self.rule_id = source.id
        self.resynchronise = source.resynchronise
        self.is_prefix = source.trap.endswith(".*")
        try:
            self.trap_oid = names.oid_of(source.trap.removesuffix(".*"))
        except MibError as error:
            raise EntryError(("trap",), str(error)) from None
        trap = names.notification(self.trap_oid)
        self.conditions = tuple(
            _within(
                ("when", place), lambda one=one: Condition(one, _reference(one.varbind, names, trap), names)
            )
            for place, one in enumerate(source.when)
        )
        self.signals = tuple(
            _within(("signals", place), lambda one=one: CompiledSignal(one, names, trap))
            for place, one in enumerate(source.signals)
        )

    def holds(self, notification: Notification) -> bool:
        """Whether a notification of its trap meets all conditions."""
        varbinds = notification.varbinds
        for condition in self.conditions:  # noqa: SIM110 - a generator costs more than the loop
            if not condition.holds(varbinds):
                return False
        return True


class CompiledSignal:
    """What one notification says about one alarm."""

    __slots__ = (
        "_alarm", "_cause", "_details", "_event_type", "_fixed", "_names", "_qualifier", "_repair", "_resource",
        "_severity", "_text", "_will_clear", "source",
    )  # fmt: skip

    def __init__(self, source: SignalSource, names: MibNames, trap: MibObject | None) -> None:
        self.source = source
        self._names = names
        self._alarm = source.alarm
        self._resource, self._qualifier, self._text, self._repair = (
            _within((key,), lambda key=key: Template(getattr(source, key), names, trap))
            for key in ("resource", "qualifier", "text", "repair")
        )
        if not source.resource.startswith("{element}"):
            raise EntryError(("resource",), f"expected {{element}} at its beginning, got {source.resource!r}")
        self._severity = _within(("severity",), lambda: _severity(source.severity, names, trap))
        self._event_type = _within(("event_type",), lambda: _event_type(source.event_type, names, trap))
        self._cause = _within(("probable_cause",), lambda: _cause(source.probable_cause, names, trap))
        self._will_clear = source.will_clear
        asked = source.details or ()
        if len(asked) > DETAILS_PER_SIGNAL_MAX:
            raise EntryError(("details",), f"expected at most {DETAILS_PER_SIGNAL_MAX} varbinds")
        self._details = None if source.details is None else tuple(
            (name, _within(("details", place), lambda name=name: Reference(name, names, trap)))
            for place, name in enumerate(asked)
        )  # fmt: skip

    def signal(self, notification: Notification, element: str, at_ms: int) -> AlarmSignal:
        """Say it."""
        return AlarmSignal(
            AlarmKey(
                key_text(self._resource.text(notification, element)),
                self._alarm,
                key_text(self._qualifier.text(notification, element)),
            ),
            self._severity(notification),
            at_ms,
            self._event_type(notification),
            self._cause(notification),
            alarm_text(self._text.text(notification, element)),
            notification.source,
            self._will_clear,
            self._details_of(notification),
            self._repair.text(notification, element),
        )

    def familiar(self, notification: Notification) -> FamiliarSignal | None:
        """What it says of all notifications with this one's varbinds; None where that depends on who sends them."""
        templates = (self._resource, self._qualifier, self._text, self._repair)
        if any(template.is_about_sender for template in templates):
            return None
        resource, qualifier, text, repair = (
            template.text(notification, ELEMENT_MARK).split(ELEMENT_MARK) for template in templates
        )
        return FamiliarSignal(
            resource,
            self._alarm,
            qualifier,
            self._severity(notification),
            self._event_type(notification),
            self._cause(notification),
            text,
            self._will_clear,
            self._details_of(notification),
            repair,
        )

    def _details_of(self, notification: Notification) -> Details:
        if self._details is None:
            return first_details(notification, self._names)
        varbinds = notification.varbinds
        return tuple(
            [
                (name, reference.text(found))
                for name, reference in self._details
                if (found := reference.find(varbinds)) is not None
            ]
        )


def first_details(notification: Notification, names: MibNames) -> Details:
    """The first few varbinds with their names."""
    return tuple(
        [
            (shortened(names.name_of(name)), names.value_text(name, syntax, value))
            for name, syntax, value in [
                (varbind.name, varbind.syntax, varbind.value)
                for varbind in notification.varbinds[:DETAILS_UNASKED]
            ]
        ]
    )


def _within(path: tuple[str | int, ...], make: Callable[[], _T]) -> _T:
    try:
        return make()
    except EntryError as error:
        raise error.within(*path) from None


def _reference(written: str, names: MibNames, trap: MibObject | None) -> Reference:
    return _within(("varbind",), lambda: Reference(written, names, trap))


def _cause(
    source: int | str | NumberSource, names: MibNames, trap: MibObject | None
) -> Callable[[Notification], int]:
    if isinstance(source, NumberSource):
        return _told(source, names, trap, PROBABLE_CAUSES, OTHER_CAUSE)
    number = CAUSE_NUMBERS.get(source, -1) if isinstance(source, str) else source
    if number not in PROBABLE_CAUSES:
        raise EntryError(
            (),
            f"expected a name or number of IANAItuProbableCause, got {source!r}; "
            "`ocs faults mib explain ITU-ALARM-MIB::ituAlarmProbableCause` lists them",
        )
    return lambda _: number


def _event_type(
    source: str | NumberSource, names: MibNames, trap: MibObject | None
) -> Callable[[Notification], EventType]:
    if isinstance(source, NumberSource):
        told = _told(source, names, trap, {one.value: one.name for one in EventType}, EventType.OTHER)
        return lambda notification: EventType(told(notification))
    fixed = _EVENT_TYPES[source]
    return lambda _: fixed


def _told(
    source: NumberSource, names: MibNames, trap: MibObject | None, known: Mapping[int, str], other: int
) -> Callable[[Notification], int]:
    """The number that a varbind tells, ``other`` for those that nobody knows."""
    reference = _reference(source.varbind, names, trap)

    def told(notification: Notification) -> int:
        varbind = reference.find(notification.varbinds)
        return (
            varbind.value if varbind and isinstance(varbind.value, int) and varbind.value in known else other
        )

    return told


def _severity(
    source: str | SeveritySource, names: MibNames, trap: MibObject | None
) -> Callable[[Notification], Severity]:
    """A fixed severity, or the table by which a varbind tells it: varbind N = value means state S (RFC 3877)."""
    if isinstance(source, str):
        fixed = severity_named(source)
        return lambda _: fixed
    reference = _reference(source.varbind, names, trap)
    if bool(source.values) == (source.coding is not None):
        raise EntryError((), "expected either a coding or a table of values")
    default = severity_named(source.default)
    find = reference.find
    mib_type = reference.mib_type
    if mib_type is not None and mib_type.base is BaseType.BITS and source.part == "value":
        return _severity_of_bits(source, find, mib_type)
    table = _severity_table(source, mib_type, names)
    part = _PARTS[source.part]

    def told(notification: Notification) -> Severity:
        varbind = find(notification.varbinds)
        return default if varbind is None else table.get(part(varbind), default)

    return told


def _severity_table(
    source: SeveritySource, mib_type: MibType | None, names: MibNames
) -> dict[Value, Severity]:
    if source.coding is not None:
        return dict(CODINGS[source.coding].items())
    # What is taken out of an object identifier is a number, whatever the varbind itself may be.
    kind = mib_type if source.part == "value" else None
    table: dict[Value, Severity] = {}
    for written, severity in source.values.items():
        values = _within(("values",), lambda written=written: raw_values(written, kind, names))
        table.update(dict.fromkeys(values, severity_named(severity)))
    return table


def _severity_of_bits(
    source: SeveritySource, find: Callable[[Sequence[Varbind]], Varbind | None], mib_type: MibType
) -> Callable[[Notification], Severity]:
    numbers = {label: number for number, label in mib_type.labels.items()}
    unknown = [label for label in source.values if label not in numbers]
    if unknown:
        raise EntryError(("values",), f"expected one of {', '.join(numbers)}, got {unknown[0]!r}")
    steps = [(numbers[label], severity_named(severity)) for label, severity in source.values.items()]
    default = severity_named(source.default)

    def told(notification: Notification) -> Severity:
        varbind = find(notification.varbinds)
        octets = varbind.value if varbind is not None and isinstance(varbind.value, bytes) else b""
        for number, severity in steps:
            if number // 8 < len(octets) and octets[number // 8] & 0x80 >> number % 8:
                return severity
        return default

    return told


def _value_of(varbind: Varbind) -> Value:
    value = varbind.value
    return value.rstrip(b"\0") if isinstance(value, bytes) else value


def _end(oid: Value) -> Value:
    """The last number of an object identifier."""
    last = oid.rpartition(".")[2] if isinstance(oid, str) else ""
    return int(last) if last.isdecimal() else None


_PARTS: Final[dict[str, Callable[[Varbind], Value]]] = {
    "value": _value_of,
    "end-of-value": lambda varbind: _end(varbind.value),
    "end-of-index": lambda varbind: _end(varbind.name),
}
