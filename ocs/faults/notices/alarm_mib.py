"""A change of an alarm as a notification of ALARM-MIB with ITU-ALARM-MIB (RFC 3877). Pure.

The name of our resource goes into alarmActiveResourceId letter by letter, as tables index by strings, and the alarm's
type is a row of an alarm model that is ours alone: managers need only that the same is always the same.
"""

import hashlib
from typing import Final

from ocs.faults.alarm import Alarm, Severity
from ocs.faults.notification import Syntax, Varbind

_ALARM_MIB: Final = "1.3.6.1.2.1.118"
ACTIVE_STATE: Final = f"{_ALARM_MIB}.0.2"
CLEAR_STATE: Final = f"{_ALARM_MIB}.0.3"
_MODEL_ROW: Final = f"{_ALARM_MIB}.1.1.2.1.3"
_ACTIVE: Final = f"{_ALARM_MIB}.1.2.2.1"
_ITU: Final = "1.3.6.1.2.1.121.1.1.1.1"
_OCTETS_MAX: Final = 255  # SnmpAdminString
# An object identifier has 128 numbers at most (RFC 2578 section 3.5).
_NAME_OCTETS_MAX: Final = 100
# ItuPerceivedSeverity (RFC 3877, ITU-ALARM-TC-MIB).
_SEVERITIES: Final = {
    Severity.CLEARED: 1,
    Severity.INDETERMINATE: 2,
    Severity.CRITICAL: 3,
    Severity.MAJOR: 4,
    Severity.MINOR: 5,
    Severity.WARNING: 6,
}


def notification_of(alarm: Alarm) -> tuple[str, list[Varbind]]:
    """Which notification an alarm's state is, and what it brings."""
    severity = Severity.CLEARED if alarm.is_cleared else alarm.severity
    # RFC 3877 section 5.4: a model's states grow with the severity, and 1 is the clear one: as RFC 8632 counts.
    state, itu = int(severity), f"{_model_index(alarm)}.{_SEVERITIES[severity]}"
    model = f"0.{_model_index(alarm)}"
    row = f"0.0.{_number(alarm.alarm_id)}"
    varbinds = [
        _object(f"{_ACTIVE}.13.{row}", f"{_MODEL_ROW}.{model}.{state}"),
        _object(f"{_ACTIVE}.10.{row}", resource_id(alarm.key.resource)),
        _text(f"{_ACTIVE}.11.{row}", f"{alarm.key.resource}: {alarm.text}"),
    ]
    if severity is Severity.CLEARED:
        return CLEAR_STATE, varbinds
    varbinds += [
        Varbind(f"{_ITU}.2.0.{itu}", Syntax.INTEGER, int(alarm.event_type)),
        Varbind(f"{_ITU}.3.0.{itu}", Syntax.INTEGER, alarm.probable_cause),
        _text(f"{_ITU}.4.0.{itu}", alarm.text),
    ]
    return ACTIVE_STATE, varbinds


def resource_id(name: str) -> str:
    """A resource's name as an object identifier; of a very long one a digest."""
    octets = name.encode()
    if len(octets) > _NAME_OCTETS_MAX:
        octets = hashlib.blake2b(octets, digest_size=16).digest()
    return ".".join(map(str, (0, 0, len(octets), *octets)))


def _model_index(alarm: Alarm) -> int:
    return _number(f"{alarm.key.alarm_type}\x1f{alarm.key.qualifier}")


def _number(text: str) -> int:
    """A number from 1 on that the same text always gets (Unsigned32, kept below 2^31)."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) % 0x7FFF_FFFF + 1


def _object(name: str, value: str) -> Varbind:
    return Varbind(name, Syntax.OBJECT_IDENTIFIER, value)


def _text(name: str, text: str) -> Varbind:
    return Varbind(name, Syntax.OCTET_STRING, text.encode()[:_OCTETS_MAX].decode(errors="ignore").encode())
