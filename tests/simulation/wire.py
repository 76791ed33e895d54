"""What gateways put on the wire and how they read answers: an encoder and a reader that are not the server's."""

import struct
from collections.abc import Iterator

from bench.templates import avp, message, unsigned32
from ocs.messages import (
    CCRequestType,
    ChargingAnswer,
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
    Service,
    ServiceAnswer,
    ServiceUnit,
)

REQUEST, PROXIABLE, RETRANSMITTED = 0x80, 0x40, 0x10
CAPABILITIES_EXCHANGE, CREDIT_CONTROL, DEVICE_WATCHDOG = 257, 272, 280
RE_AUTH, ABORT_SESSION = 258, 274
_VENDOR_3GPP = 10415
_NTP_OFFSET_S = 2_208_988_800
_CONTEXTS = {
    Service.DATA: b"32251@3gpp.org",
    Service.VOICE: b"32260@3gpp.org",
    Service.SMS: b"32274@3gpp.org",
}
# RFC 8506 section 9.1 and TS 32.299: what a gateway takes a Result-Code for. 3004 is both ways of being busy.
_OUTCOMES = {
    2001: Outcome.SUCCESS,
    3004: Outcome.UNABLE_TO_DELIVER,
    4010: Outcome.END_USER_SERVICE_DENIED,
    4011: Outcome.CREDIT_CONTROL_NOT_APPLICABLE,
    4012: Outcome.CREDIT_LIMIT_REACHED,
    5002: Outcome.UNKNOWN_SESSION,
    5004: Outcome.REPEATED_WITH_OTHER_CONTENT,
    5012: Outcome.UNABLE_TO_COMPLY,
    5030: Outcome.USER_UNKNOWN,
    5031: Outcome.RATING_FAILED,
}


# --- Requests -----------------------------------------------------------------------------------------------


def _origin(host: str) -> bytes:
    return avp(264, host.encode()) + avp(296, b"example")


def encode_credit_control(request: ChargingRequest) -> bytes:
    """A Credit-Control-Request; its identifiers are its End-to-End-Id, until an agent gives it a hop of its own."""
    parts = [
        avp(263, request.session_id.encode()),
        _origin(request.origin_host),
        avp(283, b"lab.example"),
        unsigned32(258, 4),
        avp(461, _CONTEXTS[request.service]),
        unsigned32(416, request.request_type),
        unsigned32(415, request.request_number),
    ]
    if request.event_time_s is not None:
        parts.append(unsigned32(55, (request.event_time_s + _NTP_OFFSET_S) % (1 << 32)))
    for identity in request.subscription_ids:
        number = identity.removeprefix("e164:").encode()
        parts.append(avp(443, unsigned32(450, 0) + avp(444, number)))
    if request.requested_action is not None:
        parts.append(unsigned32(436, request.requested_action))
    if request.multiple_services:
        parts.append(unsigned32(455, 1))
        parts += [avp(456, _service(asked) + _rating_group(asked)) for asked in request.services]
    else:
        parts += [_service(asked) for asked in request.services]
    if request.context.called_party:
        party = avp(832, request.context.called_party.encode(), vendor=_VENDOR_3GPP)
        parts.append(
            avp(873, avp(876, unsigned32(829, 0, vendor=_VENDOR_3GPP) + party, vendor=_VENDOR_3GPP), vendor=_VENDOR_3GPP)
        )  # fmt: skip
    if request.request_type == CCRequestType.TERMINATION:
        parts.append(unsigned32(295, 1))
    flags = REQUEST | PROXIABLE | (RETRANSMITTED if request.retransmitted else 0)
    identifiers = (request.end_to_end_id, request.end_to_end_id)
    return message(CREDIT_CONTROL, flags, 4, identifiers, b"".join(parts))


def _service(asked: MultipleServicesCreditControl) -> bytes:
    requested = b"" if asked.requested is None else avp(437, _units(asked.requested))
    return requested + b"".join(avp(446, _units(unit)) for unit in asked.used)


def _rating_group(asked: MultipleServicesCreditControl) -> bytes:
    return b"" if asked.rating_group is None else unsigned32(432, asked.rating_group)


def _units(unit: ServiceUnit) -> bytes:
    octets = b"" if unit.time_s is None else unsigned32(420, unit.time_s)
    for code, amount in ((421, unit.total_octets), (417, unit.service_specific_units)):
        if amount is not None:
            octets += avp(code, struct.pack(">Q", amount))
    if unit.tariff_change_usage is not None:
        octets = unsigned32(452, unit.tariff_change_usage) + octets
    return octets


def with_hop(request: bytes, hop_by_hop_id: int) -> bytes:
    """The request as the last agent sends it."""
    return request[:12] + hop_by_hop_id.to_bytes(4, "big") + request[16:]


def capabilities_exchange(host: str, identifier: int) -> bytes:
    body = (
        _origin(host)
        + avp(257, b"\0\1\x7f\0\0\1")
        + unsigned32(266, _VENDOR_3GPP)
        + avp(269, b"simulated gateway", mandatory=False)
        + unsigned32(258, 4)
    )
    return message(CAPABILITIES_EXCHANGE, REQUEST, 0, (identifier, identifier), body)


def watchdog_answer(request: bytes, host: str) -> bytes:
    hop_by_hop_id, end_to_end_id = struct.unpack_from(">II", request, 12)
    return message(
        DEVICE_WATCHDOG, 0, 0, (hop_by_hop_id, end_to_end_id), unsigned32(268, 2001) + _origin(host)
    )


def demand_answer(request: bytes, host: str, result_code: int) -> bytes:
    """What a gateway answers to a Re-Auth- or Abort-Session-Request."""
    command, _, _ = command_of(request)
    session_id = dict(avps(request[20:]))[263]
    body = avp(263, session_id) + unsigned32(268, result_code) + _origin(host)
    return message(command, PROXIABLE, 4, struct.unpack_from(">II", request, 12), body)


# --- Answers ------------------------------------------------------------------------------------------------


def command_of(octets: bytes) -> tuple[int, bool, int]:
    """Command-Code, whether it is a request, and Hop-by-Hop Identifier."""
    return int.from_bytes(octets[5:8]), bool(octets[4] & REQUEST), int.from_bytes(octets[12:16])


def avps(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Code and data of each AVP of a message's or group's content."""
    at = 0
    while at < len(octets):
        code, length = struct.unpack_from(">II", octets, at)
        head = 12 if length >> 31 else 8
        length &= 0xFFFFFF
        yield code, octets[at + head : at + length]
        at += length + -length % 4


def decode_answer(octets: bytes) -> ChargingAnswer:
    """What a gateway understands of an answer: how it ended, and what is granted."""
    body = list(avps(octets[20:]))
    values = dict(body)
    services = [_service_answer(dict(avps(data)), values) for code, data in body if code == 456]
    if not services and 431 in values:
        services = [_service_answer(values, values)]
    return ChargingAnswer(_OUTCOMES[int.from_bytes(values[268])], tuple(services))


def _service_answer(values: dict[int, bytes], command: dict[int, bytes]) -> ServiceAnswer:
    outcome = _OUTCOMES[int.from_bytes(values.get(268) or command[268])]
    group = values.get(432)
    granted: ServiceUnit | None = None
    switch_s: int | None = None
    if 431 in values:
        unit = {code: int.from_bytes(data) for code, data in avps(values[431])}
        granted = ServiceUnit(unit.get(421), time_s=unit.get(420), service_specific_units=unit.get(417))
        switch_s = unit[451] - _NTP_OFFSET_S if 451 in unit else None
    rating_group = None if group is None else int.from_bytes(group)
    return ServiceAnswer(outcome, rating_group, (), granted, tariff_time_change_s=switch_s)
