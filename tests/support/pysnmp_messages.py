"""Messages of v1 and v2c written and read by pysnmp's codec: the oracle for ours, and it shares nothing with it."""

from typing import Any

from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto.api import v1, v2c

SYNTAXES: dict[int, Any] = {
    0x02: v2c.Integer32,
    0x04: v2c.OctetString,
    0x05: v2c.Null,
    0x06: v2c.ObjectIdentifier,
    0x40: v2c.IpAddress,
    0x41: v2c.Counter32,
    0x42: v2c.Gauge32,
    0x43: v2c.TimeTicks,
    0x44: v2c.Opaque,
    0x46: v2c.Counter64,
}
Said = tuple[str, int, int | bytes | str | None]


def value_of(syntax: int, value: int | bytes | str | None) -> Any:
    """A value as pysnmp has it."""
    return v2c.Null("") if value is None else SYNTAXES[syntax](value)


def v2c_message(
    varbinds: list[Said], *, community: bytes = b"public", request_id: int = 7, is_inform: bool = False
) -> bytes:
    """A v2c trap or inform with exactly these varbinds, whatever they are."""
    pdu = v2c.InformRequestPDU() if is_inform else v2c.SNMPv2TrapPDU()
    v2c.apiPDU.set_defaults(pdu)
    v2c.apiPDU.set_request_id(pdu, request_id)
    v2c.apiPDU.set_varbinds(pdu, [(name, value_of(syntax, value)) for name, syntax, value in varbinds])
    return _message(v2c, community, pdu)


def v1_message(
    *,
    enterprise: str,
    agent_address: str,
    generic: int,
    specific: int,
    uptime_ticks: int,
    varbinds: list[Said],
) -> bytes:
    """A v1 trap."""
    pdu = v1.TrapPDU()
    v1.apiTrapPDU.set_defaults(pdu)
    v1.apiTrapPDU.set_enterprise(pdu, enterprise)
    v1.apiTrapPDU.set_agent_address(pdu, agent_address)
    v1.apiTrapPDU.set_generic_trap(pdu, generic)
    v1.apiTrapPDU.set_specific_trap(pdu, specific)
    v1.apiTrapPDU.set_timestamp(pdu, uptime_ticks)
    v1_syntaxes: dict[int, Any] = {
        0x02: v1.Integer,
        0x04: v1.OctetString,
        0x06: v1.ObjectIdentifier,
        0x41: v1.Counter,
        0x42: v1.Gauge,
    }
    said = [(name, v1_syntaxes[syntax](value)) for name, syntax, value in varbinds]
    v1.apiTrapPDU.set_varbinds(pdu, said)
    return _message(v1, b"public", pdu)


def _message(version: Any, community: bytes, pdu: Any) -> bytes:
    message = version.Message()
    version.apiMessage.set_defaults(message)
    version.apiMessage.set_community(message, community)
    version.apiMessage.set_pdu(message, pdu)
    return encoder.encode(message)


def read_v2c(octets: bytes) -> tuple[str, bytes, int, int, list[Said]]:
    """What pysnmp reads: the PDU's class, community, request-id, error-status, varbinds."""
    message, rest = decoder.decode(octets, asn1Spec=v2c.Message())
    assert not rest
    pdu = v2c.apiMessage.get_pdu(message)
    varbinds = [(str(name), _tag(value), _plain(value)) for name, value in v2c.apiPDU.get_varbinds(pdu)]
    return (
        type(pdu).__name__,
        bytes(v2c.apiMessage.get_community(message)),
        int(v2c.apiPDU.get_request_id(pdu)),
        int(v2c.apiPDU.get_error_status(pdu)),
        varbinds,
    )


def _tag(value: Any) -> int:
    tag = value.tagSet.superTags[-1]
    return int(tag.tagClass) | int(tag.tagId)


def _plain(value: Any) -> int | bytes | str | None:
    syntax = _tag(value)
    if syntax in {0x02, 0x41, 0x42, 0x43, 0x46}:
        return int(value)
    if syntax == 0x06:
        return str(value)
    return None if syntax == 0x05 else bytes(value)
