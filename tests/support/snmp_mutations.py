"""Datagrams that nobody should send: recorded ones with what a broken or hostile sender makes of them."""

import random
from collections.abc import Iterator

from ocs.faults.snmp import ber
from ocs.faults.snmp.discard import SnmpError
from ocs.faults.snmp.engine import TrapEngine
from ocs.faults.snmp.usm import UsmUser
from tests.support.net_snmp import PASSWORD, PROTECTIONS, Protection
from tests.support.snmp_listener import ENGINE_TIME_S, NOW_MS, engine
from tests.support.snmp_recordings import recordings
from tests.support.snmp_sender import inform, trap

PEER = "192.0.2.1"
# Tags and lengths with which codecs have been broken before.
NASTY = bytes.fromhex(
    "00 01 02 04 05 06 1f 30 3f 40 41 43 44 46 7f 80 81 82 83 84 85 88 9f a0 a2 a4 a6 a7 a8 bf df ff"
)
PRIVATE = Protection("sha1", "aes128").user()
# The same user as somebody has it who knows only one of its passwords: authentic, and encrypted to no purpose.
MISTAKEN = UsmUser(
    PRIVATE.name,
    authentication="sha1",
    authentication_password=PASSWORD.encode(),
    privacy="aes128",
    privacy_password=b"another password",
)


def judge() -> TrapEngine:
    return engine(*[protection.user() for protection in PROTECTIONS])


def mutated(octets: bytes, dice: random.Random) -> bytes:
    """The same with one to four changes, of octets, lengths or whole stretches."""
    changed = bytearray(octets)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        at = dice.randrange(len(changed) + 1)
        match dice.randrange(6):
            case 0:
                changed[at : at + 1] = bytes((dice.randrange(256),))
            case 1:
                changed[at : at + 1] = bytes((dice.choice(NASTY),))
            case 2:
                del changed[at : at + dice.choice((1, 1, 2, 8, 64, 1_000))]
            case 3:
                changed[at:at] = dice.choice(NASTY).to_bytes() * dice.choice((1, 2, 5, 40))
            case 4:
                start = dice.randrange(len(changed) + 1)
                changed[at:at] = changed[start : start + dice.randrange(60)]
            case _:
                changed[at : at + 1] = (
                    bytes((changed[at] ^ 1 << dice.randrange(8),)) if at < len(changed) else b""
                )
    return bytes(changed)


def rebuilt(octets: bytes, dice: random.Random) -> bytes:
    """A message with one element in it changed, and all lengths around it right: it is looked at to the end."""
    try:
        tag, start, stop = ber.element(octets, 0, len(octets))
    except SnmpError:
        return mutated(octets, dice)
    if (tag != ber.SEQUENCE and not 0xA0 <= tag <= 0xA8) or start == stop or not dice.randrange(12):
        contents = octets[start:stop]
        match dice.randrange(4):
            case 0:
                return ber.encode(dice.choice(NASTY), contents)
            case 1:
                return ber.encode(tag, mutated(contents, dice))
            case 2:
                return ber.encode(tag, contents[: dice.randrange(len(contents) + 1)])
            case _:
                return dice.choice((b"", octets * 2, octets + ber.encode(ber.NULL, b"")))
    children: list[bytes] = []
    while start < stop:
        end = ber.element(octets, start, stop)[2]
        children.append(octets[start:end])
        start = end
    at = dice.randrange(len(children))
    children[at] = rebuilt(children[at], dice)
    return ber.encode(tag, b"".join(children))


def mutations(seed: int) -> Iterator[bytes]:
    """Mutated recordings without end; one in four has its mutation behind a right digest and encryption."""
    dice = random.Random(seed)
    originals = [recording.octets for recording in recordings()]
    pdus = [found for found in map(_pdu, originals) if found]
    while True:
        if dice.randrange(4):
            yield dice.choice((mutated, rebuilt))(dice.choice(originals), dice)
        else:
            user = dice.choice((PRIVATE, PRIVATE, MISTAKEN))
            pdu = dice.choice((mutated, rebuilt))(dice.choice(pdus), dice)
            yield inform(user, pdu=pdu) if dice.randrange(2) else trap(user, engine_id=b"another", pdu=pdu)


def _pdu(octets: bytes) -> bytes:
    """The PDU of a recorded v1 or v2c message; empty for other versions."""
    at, end = ber.expect(octets, 0, len(octets), ber.SEQUENCE)
    version, at = ber.expect_integer(octets, at, end)
    return octets[ber.expect(octets, at, end, ber.OCTET_STRING)[1] : end] if version < 3 else b""


def assert_one_outcome(by: TrapEngine, octets: bytes) -> bool:
    """Each datagram is a notification, a discard with its reason, or discovery; returns whether it was read."""
    notifications, replies, discards = by.receive([(octets, PEER, 162)], NOW_MS, ENGINE_TIME_S)
    assert (
        len(notifications) + len(discards) + (not notifications and not discards and len(replies) == 1) == 1
    )
    return bool(notifications)
