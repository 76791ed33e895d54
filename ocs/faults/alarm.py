"""What an alarm is: the device's own axis of it (RFC 8632 section 4), and the signals that move it.

Three axes stay apart. What the device says is an :class:`Alarm`; what the operator says is an
:class:`~ocs.faults.operator_axis.OperatorRecord` beside it; administration (purge, compress) works on the list. An
operator cannot clear on the device's axis, and a clear by the device does not close.
"""

import enum
import hashlib
from typing import Final

import msgspec


class Severity(enum.IntEnum):
    """Perceived severity in the numbering and order of RFC 8632 (severity-with-clear): greater is worse.

    Other codings disagree (X.721, ITU-ALARM-TC-MIB): they are converted where they are read or written.
    """

    CLEARED = 1
    INDETERMINATE = 2
    WARNING = 3
    MINOR = 4
    MAJOR = 5
    CRITICAL = 6


class EventType(enum.IntEnum):
    """Event types of X.733 and X.736 in the numbering of IANAItuEventType (RFC 3877)."""

    OTHER = 1
    COMMUNICATIONS_ALARM = 2
    QUALITY_OF_SERVICE_ALARM = 3
    PROCESSING_ERROR_ALARM = 4
    EQUIPMENT_ALARM = 5
    ENVIRONMENTAL_ALARM = 6
    INTEGRITY_VIOLATION = 7
    OPERATIONAL_VIOLATION = 8
    PHYSICAL_VIOLATION = 9
    SECURITY_SERVICE_OR_MECHANISM_VIOLATION = 10
    TIME_DOMAIN_VIOLATION = 11


# Two characters of base32 (RFC 4648 section 6) in lower case, by ten bits.
_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
_BASE32_PAIRS: Final = tuple(one + other for one in _BASE32 for other in _BASE32)


class AlarmKey(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What makes two signals speak of one alarm; never the severity or the text (RFC 8632 section 3.3).

    Attributes:
        resource: the alarming resource, element first and narrower after slashes: ``router7/if/3``.
        alarm_type: alarm-type-id, such as ``link-down``.
        qualifier: alarm-type-qualifier; empty for most.
    """

    resource: str
    alarm_type: str
    qualifier: str = ""

    @property
    def alarm_id(self) -> str:
        """The alarm's id, the same on every site and after every restart: 16 characters, lower case."""
        # Lengths first: whatever the parts hold, two keys never make one text.
        resource, alarm_type = self.resource, self.alarm_type
        text = f"{len(resource)} {len(alarm_type)} {resource}{alarm_type}{self.qualifier}"
        digest = hashlib.blake2b(text.encode(), digest_size=10).digest()
        number = int.from_bytes(digest)
        two = _BASE32_PAIRS
        return (
            f"{two[number >> 70]}{two[number >> 60 & 1023]}{two[number >> 50 & 1023]}{two[number >> 40 & 1023]}"
            f"{two[number >> 30 & 1023]}{two[number >> 20 & 1023]}{two[number >> 10 & 1023]}{two[number & 1023]}"
        )


class AlarmSignal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One statement of a device about one alarm: what a rule makes of a notification, or a table walk finds.

    Attributes:
        severity: CLEARED clears, anything else raises or changes.
        at_ms: when it happened, by the source's own clock brought to ours (:mod:`ocs.faults.source_clock`): signals
            about one key are ordered by it, however the network delivered them.
        event_type: an :class:`EventType`. probable_cause: a number of IANAItuProbableCause; 1024 is other.
        text: one sentence for people.
        source: the address of the element, for supervision and rate limits.
        will_clear: whether the device will say when it is over; else an operator must clear it.
        details: names and printable values of what came with it, resolved by MIBs.
        repair: what to do about it; empty when nobody said.
        is_catch_all: no rule knew the notification.
        is_vouched: somebody whom we know says so: an operator, or a sender who has proved who it is.
    """

    key: AlarmKey
    severity: Severity
    at_ms: int
    event_type: EventType
    probable_cause: int
    text: str
    source: str
    will_clear: bool = True
    details: tuple[tuple[str, str], ...] = ()
    repair: str = ""
    is_catch_all: bool = False
    is_vouched: bool = False


class StatusChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of status-change (RFC 8632): severity CLEARED is a clear."""

    at_ms: int
    severity: Severity
    text: str


class Alarm(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of the alarm list on the device's axis (RFC 8632 alarm-list/alarm).

    An entry appears with the first raise, outlives its clear and is used by the next raise; only a purge removes it.

    Attributes:
        alarm_id: of its key.
        created_ms: when the entry first appeared; a new raise does not change it.
        severity: the last one that was not CLEARED. is_cleared: whether it is over.
        last_raised_ms: the last step from cleared, or from nothing. last_changed_ms: the last change of severity, text
            or clearance. last_signal_ms: the ``at_ms`` of the newest signal taken: older ones never change the state.
        occurrences: raises and repeats since ``created_ms``.
        changes: oldest first, bounded; compress keeps the last.
        root_cause: id of the alarm whose symptom this is; empty when it stands for itself.
        symptoms: how many alarms are grouped under this one now.
        suppression: why notices are held back: ``shelved``, ``maintenance``, ``symptom``, ``flapping``, ``settling``
            (its cause may still come); else empty.
        affected_services: names of services, from the topology. affected_subscribers: their number.
        escalation: how often it was escalated by age.
        is_announced: people and partners were told that it stands, and not yet that it is over.
    """

    alarm_id: str
    key: AlarmKey
    created_ms: int
    severity: Severity
    is_cleared: bool
    last_raised_ms: int
    last_changed_ms: int
    last_signal_ms: int
    event_type: EventType
    probable_cause: int
    text: str
    source: str
    occurrences: int = 1
    changes: tuple[StatusChange, ...] = ()
    will_clear: bool = True
    details: tuple[tuple[str, str], ...] = ()
    repair: str = ""
    is_catch_all: bool = False
    root_cause: str = ""
    symptoms: int = 0
    suppression: str = ""
    is_flapping: bool = False
    affected_services: tuple[str, ...] = ()
    affected_subscribers: int = 0
    escalation: int = 0
    is_announced: bool = False
