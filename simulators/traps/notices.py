"""What elements say: notifications of public MIBs, and those of the lab's own equipment."""

from typing import Final

import msgspec

# Columns of IF-MIB (RFC 2863) and BGP4-MIB (RFC 4273) that their notifications carry.
_IF_ENTRY: Final = "1.3.6.1.2.1.2.2.1"
_IF_NAME: Final = "1.3.6.1.2.1.31.1.1.1.1"
_BGP_PEER: Final = "1.3.6.1.2.1.15.3.1"
_GENERIC_TRAPS: Final = "1.3.6.1.6.3.1.1.5"
_BGP_TRAPS: Final = "1.3.6.1.2.1.15.0"
# Equipment of the lab: the enterprise number for documentation (RFC 5612); config/alarms/lab.toml has the rules.
LAB: Final = "1.3.6.1.4.1.32473.1"
_UP: Final = 1
_DOWN: Final = 2
_IDLE: Final = 1
_ESTABLISHED: Final = 6
_HOLD_TIMER_EXPIRED: Final = b"\x04\x00"


class Value(msgspec.Struct, frozen=True):
    """One variable binding; ``syntax`` is a name of SMIv2 that :mod:`simulators.traps.packets` knows."""

    name: str
    syntax: str
    value: int | bytes | str


class Notice(msgspec.Struct, frozen=True):
    """One notification without its time: equal ones are written from one template."""

    trap_oid: str
    values: tuple[Value, ...]


def link(index: int, name: str, *, is_up: bool, padding: int = 0) -> Notice:
    """``linkDown`` or ``linkUp`` of an interface.

    Args:
        padding: so many varbinds of no meaning behind its own four.
    """
    state = _UP if is_up else _DOWN
    return Notice(
        f"{_GENERIC_TRAPS}.{4 if is_up else 3}",
        (
            Value(f"{_IF_ENTRY}.1.{index}", "Integer32", index),
            Value(f"{_IF_ENTRY}.7.{index}", "Integer32", _UP),
            Value(f"{_IF_ENTRY}.8.{index}", "Integer32", state),
            Value(f"{_IF_NAME}.{index}", "OctetString", name.encode()),
            *(
                Value(f"{LAB}.9.{column}.0", "OctetString", b"circuit 4711 west")
                for column in range(1, padding + 1)
            ),
        ),
    )


def neighbour(address: str, *, is_up: bool) -> Notice:
    """A session with a BGP neighbour fell back, or is established."""
    last_error = bytes(2) if is_up else _HOLD_TIMER_EXPIRED
    return Notice(
        f"{_BGP_TRAPS}.{1 if is_up else 2}",
        (
            Value(f"{_BGP_PEER}.7.{address}", "IpAddress", address),
            Value(f"{_BGP_PEER}.14.{address}", "OctetString", last_error),
            Value(f"{_BGP_PEER}.2.{address}", "Integer32", _ESTABLISHED if is_up else _IDLE),
        ),
    )


def card(name: str, *, is_up: bool) -> Notice:
    """A card of the lab's equipment failed, or works again."""
    return Notice(f"{LAB}.0.{2 if is_up else 1}", (Value(f"{LAB}.1.1.0", "OctetString", name.encode()),))


def fan(number: int, *, state: int) -> Notice:
    """A fan of the lab's equipment is in another state: 1 normal, 2 slow, 3 still."""
    return Notice(
        f"{LAB}.0.3",
        (
            Value(f"{LAB}.2.1.{number}", "Integer32", state),
            Value(f"{LAB}.9.1.0", "OctetString", bytes.fromhex("07cf0101000000")),  # a clock of 1999
        ),
    )


def start() -> Notice:
    """``coldStart``."""
    return Notice(f"{_GENERIC_TRAPS}.1", ())
