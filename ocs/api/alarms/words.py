"""What TMF642 calls severities, event types, causes and states; names, where standards' numbers disagree. Pure."""

from typing import Final

from ocs.faults.alarm import Alarm, EventType, Severity
from ocs.faults.operator_axis import OperatorState
from ocs.faults.rules.probable_causes import OTHER_CAUSE, PROBABLE_CAUSES

# TMF642's alarmType: X.733 section 8.1.1 and 3GPP TS 32.111-2 Annex A, in camel case as the standard's examples are.
ALARM_TYPES: Final[dict[EventType, str]] = {
    EventType.OTHER: "other",
    EventType.COMMUNICATIONS_ALARM: "communicationsAlarm",
    EventType.QUALITY_OF_SERVICE_ALARM: "qualityOfServiceAlarm",
    EventType.PROCESSING_ERROR_ALARM: "processingErrorAlarm",
    EventType.EQUIPMENT_ALARM: "equipmentAlarm",
    EventType.ENVIRONMENTAL_ALARM: "environmentalAlarm",
    EventType.INTEGRITY_VIOLATION: "integrityViolation",
    EventType.OPERATIONAL_VIOLATION: "operationalViolation",
    EventType.PHYSICAL_VIOLATION: "physicalViolation",
    EventType.SECURITY_SERVICE_OR_MECHANISM_VIOLATION: "securityServiceOrMechanismViolation",
    EventType.TIME_DOMAIN_VIOLATION: "timeDomainViolation",
}
SEVERITIES: Final = {severity.name.lower(): severity for severity in Severity}
ACKNOWLEDGED: Final = "acknowledged"
UNACKNOWLEDGED: Final = "unacknowledged"

_TYPES_BY_WORD: Final = {word.lower(): kind for kind, word in ALARM_TYPES.items()}
_CAUSES_BY_WORD: Final = {word.lower(): number for number, word in PROBABLE_CAUSES.items()}


def event_type_of(text: str) -> EventType | None:
    """The event type that somebody means: ``Communications Alarm`` and ``communicationsAlarm`` are one."""
    return _TYPES_BY_WORD.get("".join(text.split()).lower())


def probable_cause_of(text: str) -> int:
    """The number of a probable cause by its name, or as digits; what the registry does not know is other."""
    word = "".join(text.split()).lower()
    if word.isascii() and word.isdigit() and int(word[:9]) in PROBABLE_CAUSES:
        return int(word[:9])
    return _CAUSES_BY_WORD.get(word, OTHER_CAUSE)


def probable_cause_word(number: int) -> str:
    """A probable cause's name in the registry; the number itself when it has none."""
    return PROBABLE_CAUSES.get(number, str(number))


def severity_word(alarm: Alarm) -> str:
    """TMF642: once an alarm has been cleared, its perceived severity is ``cleared``."""
    return (Severity.CLEARED if alarm.is_cleared else alarm.severity).name.lower()


def ack_word(state: OperatorState) -> str:
    """Whether an operator has taken care of it; closed is more than acknowledged."""
    return ACKNOWLEDGED if state in {OperatorState.ACK, OperatorState.CLOSED} else UNACKNOWLEDGED


def operator_word(state: OperatorState) -> str:
    """An operator state as RFC 8632 writes it: ``un-shelved``."""
    return state.name.lower().replace("_", "-")
