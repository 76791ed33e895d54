"""A trap as a person describes it, as a notification."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from ocs.faults.mibs import MibNames
from ocs.faults.mibs.model import BaseType, MibType
from ocs.faults.notification import Notification, SecurityLevel, Syntax, Varbind, Version

_HEX: Final = re.compile(r"0x((?:[0-9A-Fa-f]{2})*)")


class DescriptionError(ValueError):
    """A description cannot be understood; ``str()`` is one line."""


def described_trap(
    trap: str, varbinds: Sequence[str], names: MibNames, *, source: str, received_ms: int
) -> Notification:
    """Make a notification of words.

    Args:
        trap: a name such as ``IF-MIB::linkDown``, or an object identifier.
        varbinds: each ``NAME=VALUE``, the value as text, label, number, address, name or ``0x0a0b``.

    Raises:
        DescriptionError: a varbind has no value, or one that its type does not allow.
        MibError: nobody knows a name.
    """
    return Notification(
        trap_oid=names.oid_of(trap),
        uptime_ticks=0,
        varbinds=tuple(_varbind(written, names) for written in varbinds),
        source=source,
        peer=source,
        version=Version.V2C,
        security_name="",
        security_level=SecurityLevel.NO_AUTH_NO_PRIV,
        engine_id=b"",
        is_inform=False,
        received_ms=received_ms,
    )


def _varbind(written: str, names: MibNames) -> Varbind:
    name, equals, value = written.partition("=")
    if not equals:
        raise DescriptionError(f"expected NAME=VALUE, such as IF-MIB::ifIndex.3=3, got {written!r}")
    oid = names.oid_of(name.strip())
    place = names.place_of(oid)
    if place is not None and not place.instance and place.mib_type is not None:
        oid += ".0"  # a scalar has one instance; of a column the first will do
    syntax, read = _value(value.strip(), None if place is None else place.mib_type, names, name)
    return Varbind(oid, syntax, read)


def _value(text: str, mib_type: MibType | None, names: MibNames, name: str) -> tuple[int, int | bytes | str]:
    octets = _HEX.fullmatch(text)
    if octets is not None:
        return Syntax.OCTET_STRING, bytes.fromhex(octets[1])
    if mib_type is None:
        return (Syntax.INTEGER, int(text)) if _is_number(text) else (Syntax.OCTET_STRING, text.encode())
    match mib_type.base:
        case BaseType.INTEGER | BaseType.TICKS:
            return _number(text, mib_type, name)
        case BaseType.OID:
            return Syntax.OBJECT_IDENTIFIER, names.oid_of(text)
        case BaseType.ADDRESS:
            try:
                return Syntax.IP_ADDRESS, ipaddress.IPv4Address(text).packed
            except ValueError:
                raise DescriptionError(f"{name}: expected an IPv4 address, got {text!r}") from None
        case BaseType.BITS:
            return Syntax.OCTET_STRING, _bits(text, mib_type, name)
        case BaseType.OCTETS | BaseType.OPAQUE:
            return Syntax.OCTET_STRING, text.encode()


def _number(text: str, mib_type: MibType, name: str) -> tuple[int, int]:
    syntax = Syntax.TIME_TICKS if mib_type.base is BaseType.TICKS else Syntax.INTEGER
    if _is_number(text):
        return syntax, int(text)
    for number, label in mib_type.labels.items():
        if label == text:
            return syntax, number
    known = f" or one of {', '.join(list(mib_type.labels.values())[:20])}" if mib_type.labels else ""
    raise DescriptionError(f"{name}: expected a number{known}, got {text!r}")


def _bits(text: str, mib_type: MibType, name: str) -> bytes:
    numbers = {label: number for number, label in mib_type.labels.items()}
    unknown = [label for label in text.split() if label not in numbers]
    if unknown:
        raise DescriptionError(f"{name}: expected names of bits ({', '.join(numbers)}), got {unknown[0]!r}")
    octets = bytearray(max(numbers.values(), default=0) // 8 + 1)
    for label in text.split():
        octets[numbers[label] // 8] |= 0x80 >> numbers[label] % 8
    return bytes(octets)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]{1,20}", text) is not None
