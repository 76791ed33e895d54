"""Messages of version 3 as a sender would write them, and read by it: for what no tool can be made to send.

Written with our own codec; what that writes is judged by net-snmp and pysnmp elsewhere.
"""

from typing import NamedTuple

from ocs.faults.snmp import ber, usm
from ocs.faults.snmp.usm import Envelope, UsmUser, encode_scoped, encode_secured
from tests.support.pysnmp_messages import Said, v2c_message
from tests.support.snmp_listener import BOOTS, ENGINE_ID, ENGINE_TIME_S

SENDER = bytes.fromhex("80001f880401020304")
HEAD: list[Said] = [
    ("1.3.6.1.2.1.1.3.0", 0x43, 4_242),
    ("1.3.6.1.6.3.1.1.4.1.0", 0x06, "1.3.6.1.6.3.1.1.5.3"),
]
USM_STATS = "1.3.6.1.6.3.15.1.1"


def pdu_of(*, is_inform: bool = False, request_id: int = 7, said: list[Said] = HEAD) -> bytes:
    """A PDU as pysnmp writes it."""
    octets = v2c_message(said, request_id=request_id, is_inform=is_inform)
    start, _ = ber.expect(octets, 0, len(octets), ber.SEQUENCE)
    _, at = ber.expect_integer(octets, start, len(octets))
    return octets[ber.expect(octets, at, len(octets), ber.OCTET_STRING)[1] :]


def trap(
    user: UsmUser,
    *,
    engine_id: bytes = SENDER,
    boots: int = 5,
    time_s: int = 100,
    flags: int | None = None,
    pdu: bytes | None = None,
) -> bytes:
    """A trap of which its sender is the authority."""
    level = bool(user.authentication) | bool(user.privacy) << 1
    envelope = Envelope(
        77, level if flags is None else flags, engine_id, boots, time_s, user.name.encode(), bytes(8)
    )
    scoped = encode_scoped(engine_id, b"", pdu or pdu_of())
    return encode_secured(envelope, scoped, user.keys_at(engine_id))


def inform(
    user: UsmUser,
    *,
    engine_id: bytes = ENGINE_ID,
    boots: int = BOOTS,
    time_s: int = ENGINE_TIME_S,
    flags: int | None = None,
    request_id: int = 7,
    message_id: int = 77,
    said: list[Said] = HEAD,
    context: bytes = SENDER,
    pdu: bytes | None = None,
) -> bytes:
    """An inform, of which we are the authority."""
    level = bool(user.authentication) | bool(user.privacy) << 1
    level = (level if flags is None else flags) | usm.FLAG_REPORTABLE
    envelope = Envelope(
        message_id, level, engine_id, boots, time_s, user.name.encode(), message_id.to_bytes(8)
    )
    scoped = encode_scoped(
        context, b"context", pdu or pdu_of(is_inform=True, request_id=request_id, said=said)
    )
    return encode_secured(envelope, scoped, user.keys_at(engine_id))


class Answer(NamedTuple):
    """What an answer of ours says; ``counter`` is the first varbind's name and value."""

    tag: int
    message_id: int
    flags: int
    engine_id: bytes
    boots: int
    time_s: int
    user: bytes
    salt: bytes
    context: tuple[bytes, bytes]
    pdu: bytes


def read_answer(octets: bytes, user: UsmUser | None = None) -> Answer:
    """Take an answer apart, proved and decrypted as it claims."""
    at, end = ber.expect(octets, 0, len(octets), ber.SEQUENCE)
    _, at = ber.expect_integer(octets, at, end)
    message = usm.read_secured(octets, at, end)
    keys = (user or UsmUser("nobody")).keys_at(message.engine_id)
    if message.is_authenticated:
        usm.authenticate(message, keys)
    scoped = usm.open_scoped(message, keys)
    pdu = scoped.octets[scoped.pdu_at : scoped.pdu_end]
    return Answer(
        pdu[0],
        message.message_id,
        message.flags,
        message.engine_id,
        message.boots,
        message.time_s,
        message.user,
        message.salt,
        (scoped.context_engine_id, scoped.context_name),
        pdu,
    )


def counter(answer: Answer) -> tuple[int, str, int]:
    """Of a Report: request-id, the counter's name and its value."""
    pdu = answer.pdu
    at, end = ber.expect(pdu, 0, len(pdu), 0xA8)
    request_id, at = ber.expect_integer(pdu, at, end)
    assert pdu[at : at + 6] == bytes.fromhex("020100020100")
    at, end = ber.expect(pdu, at + 6, end, ber.SEQUENCE)
    at, end = ber.expect(pdu, at, end, ber.SEQUENCE)
    start, at = ber.expect(pdu, at, end, ber.OBJECT_IDENTIFIER)
    name = ber.object_identifier(pdu[start:at])
    start, at = ber.expect(pdu, at, end, 0x41)
    return request_id, name, ber.unsigned(pdu, start, at, 32)
