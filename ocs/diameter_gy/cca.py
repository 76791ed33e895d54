"""Credit-Control-Answer and error answers: neutral answer -> octets (RFC 8506 section 3.2, RFC 6733 section 7.2).

Gateways differ in what they bear: Session-Id stands first, and what the grammar demands stands exactly once
(Open5GS drops the answer otherwise, and waits for ever).
"""

from typing import Final

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import (
    HEADER_OCTETS,
    VENDOR_FLAG,
    encode_avp,
    enumerated,
    fault_at,
    grouped,
    unpack_header,
    unsigned32,
    unsigned64,
    utf8,
)
from ocs.diameter_gy.ccr_decoder import APPLICATION_ID, COMMAND_CODE, CreditControlRequest
from ocs.diameter_gy.dictionary import VENDOR_3GPP
from ocs.diameter_gy.errors import DiameterError, TooBusy
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import ERROR, PROXIABLE, Header, encode_message, first_avp, parse_header
from ocs.diameter_gy.message import HEADER_OCTETS as MESSAGE_HEADER_OCTETS
from ocs.diameter_gy.policy import GyPolicy
from ocs.diameter_gy.service_answers import RESULT_AVPS, amount_avps, plain_avps, services_avp
from ocs.limits import MESSAGE_OCTETS_MAX
from ocs.messages import CCRequestType, ChargingAnswer, Outcome

_BUSY: Final = {
    Outcome.TOO_BUSY: "the queue of this node is full",
    Outcome.UNABLE_TO_DELIVER: "the request could not be made durable here",
}
_AUTH_APPLICATION_AVP: Final = unsigned32(codes.AUTH_APPLICATION_ID, APPLICATION_ID)
# Auth-Application-Id, CC-Request-Type and the header of CC-Request-Number, which stand together.
_NUMBER_HEADER: Final = unsigned32(codes.CC_REQUEST_NUMBER, 0)[:HEADER_OCTETS]
_LENGTH_OF_32_BITS: Final = (HEADER_OCTETS + 4).to_bytes(3, "big")
_COMMAND_AVPS: Final = {
    kind: _AUTH_APPLICATION_AVP + enumerated(codes.CC_REQUEST_TYPE, kind) + _NUMBER_HEADER
    for kind in CCRequestType
}
_EXAMPLE_SUBSCRIPTION: Final = grouped(
    codes.SUBSCRIPTION_ID, enumerated(codes.SUBSCRIPTION_ID_TYPE, 0), utf8(codes.SUBSCRIPTION_ID_DATA, "")
)


def encode_cca(
    request: CreditControlRequest, answer: ChargingAnswer, identity: NodeIdentity, policy: GyPolicy
) -> bytes:
    """Write the answer to a request that was read.

    Args:
        request: as decode_ccr gave it; its Session-Id, Proxy-Info and identifiers are repeated.
        answer: the decision. Being busy is a protocol error, with the E bit and without anything granted.
        identity: this node.
        policy: the operator's.

    Returns:
        One whole message.
    """
    if answer.outcome in _BUSY:
        message = request.message
        return encode_error_answer(message, parse_header(message), TooBusy(_BUSY[answer.outcome]), identity)
    charging = request.charging
    parts = [
        request.session_id_avp,
        RESULT_AVPS[answer.outcome],
        identity.origin_avps,
        _COMMAND_AVPS[charging.request_type],
        charging.request_number.to_bytes(4, "big"),
    ]
    is_session = charging.request_type is not CCRequestType.EVENT
    if is_session:
        parts.append(policy.session_failover_avp)
    if request.sub_session_id is not None:
        parts.append(unsigned64(codes.CC_SUB_SESSION_ID, request.sub_session_id))
    if charging.multiple_services:
        parts.extend([services_avp(service) for service in answer.services])
    elif answer.services:
        parts.append(plain_avps(answer.services[0]))
    if answer.cost is not None or answer.enough_credit is not None or answer.remaining is not None:
        parts.append(_balance_avps(answer))
    if is_session:
        parts.append(policy.failure_handling_avp)
    if request.proxy_info:
        parts.append(request.proxy_info)
    if answer.outcome is not Outcome.SUCCESS or len(answer.services) > 1:
        parts.extend(_failed_avps(request, answer))
    return encode_message(
        COMMAND_CODE,
        request.application_id,
        request.flags & PROXIABLE,
        request.hop_by_hop_id,
        request.end_to_end_id,
        b"".join(parts),
    )


def encode_error_answer(
    message: bytes, header: Header, error: DiameterError, identity: NodeIdentity
) -> bytes:
    """Write the answer to any request that was refused, as far as the request can be read.

    A protocol error (3xxx) has the E bit and the form of RFC 6733 section 7.2. Another error keeps the form of
    its command: for Credit-Control, Auth-Application-Id, CC-Request-Type and CC-Request-Number go with it when
    the request has them, since Open5GS does not hear an answer without.

    Args:
        message: the request; its header alone is enough.
        header: its header.
        error: what is wrong.
        identity: this node.

    Returns:
        One whole message, of limits.MESSAGE_OCTETS_MAX at most: what would make it longer is left out.
    """
    found = _readable_avps(message)
    session_id = found.get(codes.SESSION_ID, [])[:1]
    result = unsigned32(codes.RESULT_CODE, error.result_code)
    flags = header.flags & PROXIABLE
    if error.is_protocol_error:
        flags |= ERROR
        parts = [identity.origin_avps, result]
    else:
        parts = [result, identity.origin_avps]
        if header.command_code == COMMAND_CODE:
            parts.append(_AUTH_APPLICATION_AVP)
            for code in (codes.CC_REQUEST_TYPE, codes.CC_REQUEST_NUMBER):
                parts += [
                    avp for avp in found.get(code, [])[:1] if avp[5:HEADER_OCTETS] == _LENGTH_OF_32_BITS
                ]
    explanation = [utf8(codes.ERROR_MESSAGE, error.error_message, flags=0)] if error.error_message else []
    if error.failed_avp:
        explanation.append(grouped(codes.FAILED_AVP, error.failed_avp))
    return encode_message(
        header.command_code,
        header.application_id,
        flags,
        header.hop_by_hop_id,
        header.end_to_end_id,
        _body_that_fits(session_id, parts, explanation, found.get(codes.PROXY_INFO, [])),
    )


def _body_that_fits(
    session_id: list[bytes], result: list[bytes], explanation: list[bytes], proxy_info: list[bytes]
) -> bytes:
    """Put an answer together; an AVP of the request that it repeats may be nearly as long as a message.

    What routes the answer back has the first claim to room, the explanation the last. RFC 6733 section 7.5 wants the
    whole AVP in Failed-AVP, so that it is left out rather than cut.
    """
    room = MESSAGE_OCTETS_MAX - MESSAGE_HEADER_OCTETS - sum(map(len, result))

    def fitting(avps: list[bytes]) -> list[bytes]:
        nonlocal room
        kept: list[bytes] = []
        for avp in avps:
            if len(avp) <= room:
                kept.append(avp)
                room -= len(avp)
        return kept

    route, session, explained = fitting(proxy_info), fitting(session_id), fitting(explanation)
    return b"".join((*session, *result, *explained, *route))


# --- From the request ----------------------------------------------------------------------------------


def _readable_avps(message: bytes) -> dict[int, list[bytes]]:
    """The top-level AVPs of the IETF by code, encoded, as far as the message can be taken apart."""
    found: dict[int, list[bytes]] = {}
    start, end = MESSAGE_HEADER_OCTETS, len(message)
    while start < end and fault_at(message, start, end) is None:
        code, word = unpack_header(message, start)
        stop = start + ((word & 0xFFFFFF) + 3 & ~3)
        if not word >> 24 & VENDOR_FLAG:
            found.setdefault(code, []).append(message[start:stop])
        start = stop
    return found


# --- Money and errors ----------------------------------------------------------------------------------


def _balance_avps(answer: ChargingAnswer) -> bytes:
    parts: list[bytes] = []
    if answer.cost is not None:
        parts.append(grouped(codes.COST_INFORMATION, amount_avps(answer.cost)))
    if answer.enough_credit is not None:
        # ENOUGH_CREDIT is 0, NO_CREDIT is 1.
        parts.append(enumerated(codes.CHECK_BALANCE_RESULT, 0 if answer.enough_credit else 1))
    if answer.remaining is not None:
        remaining = amount_avps(answer.remaining)
        parts.append(encode_avp(codes.REMAINING_BALANCE, remaining, VENDOR_3GPP, flags=0))
    return b"".join(parts)


def _failed_avps(request: CreditControlRequest, answer: ChargingAnswer) -> list[bytes]:
    """What could not be processed: demanded for 5004, 5005 and, also for a single service, for 5031."""
    match answer.outcome:
        case Outcome.REPEATED_WITH_OTHER_CONTENT:
            return [grouped(codes.FAILED_AVP, first_avp(request.message, codes.CC_REQUEST_NUMBER))]
        case Outcome.MISSING_SUBSCRIPTION:
            return [grouped(codes.FAILED_AVP, _EXAMPLE_SUBSCRIPTION)]
        case _:
            pass
    failed: dict[bytes, None] = {}
    for service in answer.services:
        if service.outcome is Outcome.RATING_FAILED:
            if service.rating_group is not None:
                failed[unsigned32(codes.RATING_GROUP, service.rating_group)] = None
            elif service.service_identifiers:
                failed[unsigned32(codes.SERVICE_IDENTIFIER, service.service_identifiers[0])] = None
    if not failed and answer.outcome is Outcome.RATING_FAILED:
        failed[first_avp(request.message, codes.SERVICE_CONTEXT_ID)] = None
    return [grouped(codes.FAILED_AVP, avp) for avp in failed]
