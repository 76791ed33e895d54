"""What an SNMP trap or inform says, whatever version brought it."""

import enum
from typing import Final

import msgspec


class Syntax(enum.IntEnum):
    """The tag octet of a value (RFC 3416 section 3, RFC 2578 section 7.1)."""

    INTEGER = 0x02
    OCTET_STRING = 0x04
    NULL = 0x05
    OBJECT_IDENTIFIER = 0x06
    IP_ADDRESS = 0x40
    COUNTER32 = 0x41
    GAUGE32 = 0x42
    TIME_TICKS = 0x43
    OPAQUE = 0x44
    COUNTER64 = 0x46
    NO_SUCH_OBJECT = 0x80
    NO_SUCH_INSTANCE = 0x81
    END_OF_MIB_VIEW = 0x82


class Version(enum.IntEnum):
    """The version field of a message."""

    V1 = 0
    V2C = 1
    V3 = 3


class SecurityLevel(enum.IntEnum):
    """How a message was protected (RFC 3411 section 3.4.3); v1 and v2c are always the lowest."""

    NO_AUTH_NO_PRIV = 1
    AUTH_NO_PRIV = 2
    AUTH_PRIV = 3


class Varbind(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One variable binding (RFC 3416 section 3).

    Attributes:
        name: dotted object identifier, without a leading dot.
        syntax: a :class:`Syntax`, as a plain number.
        value: an int for the numbers; octets for strings, addresses and Opaque; dotted text for an object identifier;
            None for NULL and the exceptions.
    """

    name: str
    syntax: int
    value: int | bytes | str | None


class Notification(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One notification, after RFC 3584 section 3.1 made a v1 trap look like a v2 one.

    Attributes:
        trap_oid: the value of snmpTrapOID.0, dotted.
        uptime_ticks: sysUpTime.0, hundredths of a second; wraps at 2^32.
        varbinds: in the order sent, without sysUpTime.0 and snmpTrapOID.0, and without the three of RFC 3584.
        source: the address of the element it is about: what a trusted proxy said, else a v1 agent-addr if trusted,
            else where the datagram came from.
        peer: where the datagram came from, an IP address without the port.
        engine_id: the sender's engine (v3); empty otherwise.
        security_name: the community (v1, v2c) or the user (v3).
        received_ms: our clock.
    """

    trap_oid: str
    uptime_ticks: int
    varbinds: tuple[Varbind, ...]
    source: str
    peer: str
    version: int
    security_name: str
    security_level: int
    engine_id: bytes
    is_inform: bool
    received_ms: int


# snmpTraps of SNMPv2-MIB; a v1 generic trap n is the one with number n + 1 (RFC 3584 section 3.1).
SNMP_TRAPS: Final = "1.3.6.1.6.3.1.1.5"
COLD_START: Final = f"{SNMP_TRAPS}.1"
WARM_START: Final = f"{SNMP_TRAPS}.2"
LINK_DOWN: Final = f"{SNMP_TRAPS}.3"
LINK_UP: Final = f"{SNMP_TRAPS}.4"
