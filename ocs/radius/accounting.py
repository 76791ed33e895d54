"""Accounting-Request -> what charging is asked: a session begins, goes on, or ends (RFC 2866)."""

import hashlib
from typing import Final

import msgspec

from ocs.limits import RADIUS_LATE_REPORT_S, REPORTED_UNITS_MAX
from ocs.messages import (
    NO_CONTEXT,
    CCRequestType,
    ChargingRequest,
    MultipleServicesCreditControl,
    Service,
    ServiceUnit,
)
from ocs.radius import codes
from ocs.radius.clients import Client
from ocs.radius.codes import AcctStatusType
from ocs.radius.identities import context_of, identities_of
from ocs.radius.packet import Packet
from ocs.radius.session_name import SessionName, name_of_accounting

_WORD: Final = 1 << 32
_FINGERPRINT_OCTETS: Final = 16
# Request numbers are the session's age: 0 opens it, 1 is its Start, 2 + n its report at n seconds.
_START_NUMBER: Final = 1
_FIRST_REPORT_NUMBER: Final = 2
_ASK_US: Final = ServiceUnit()
_TYPES: Final = {
    AcctStatusType.START: CCRequestType.UPDATE,
    AcctStatusType.INTERIM_UPDATE: CCRequestType.UPDATE,
    AcctStatusType.STOP: CCRequestType.TERMINATION,
}


class UnusableReportError(ValueError):
    """An Accounting-Request that cannot be charged; ``str()`` says why."""


class AccountingReport(msgspec.Struct, frozen=True):
    """What an Accounting-Request says of one session.

    Attributes:
        status: Start, Interim-Update or Stop.
        request: the report as an UPDATE or TERMINATION.
        opening: the same as an INITIAL, for a session that charging does not know; None when we opened it (its Class
            says so): it is over then.
    """

    name: SessionName
    status: AcctStatusType
    request: ChargingRequest
    opening: ChargingRequest | None

    @property
    def counters(self) -> ServiceUnit:
        """What the session has come to by the NAS's counters."""
        services = self.request.services
        return services[0].used[0] if services and services[0].used else ServiceUnit(0, 0, 0, 0)


def decode_report(packet: Packet, client: Client, host: str, now_s: int) -> AccountingReport:
    """Read a Start, Interim-Update or Stop.

    Args:
        host: where the packet came from.
        now_s: when, in seconds since 1970 UTC.

    Raises:
        UnusableReportError: it names no session, or counts what nobody can have used.
    """
    status = AcctStatusType(packet.integer(codes.ACCT_STATUS_TYPE) or 0)
    name = name_of_accounting(packet, client, host)
    if name is None:
        raise UnusableReportError("neither Acct-Session-Id nor Class names its session")
    event_time_s = _event_time_s(packet, now_s)
    counters = _counters(packet, None if now_s - event_time_s < RADIUS_LATE_REPORT_S else event_time_s)
    if max(counters.total_octets or 0, counters.time_s or 0) > REPORTED_UNITS_MAX:
        raise UnusableReportError("it counts more than anybody can have used")
    is_start = status is AcctStatusType.START
    number = _START_NUMBER if is_start else _FIRST_REPORT_NUMBER + _age(packet, counters)
    reported = MultipleServicesCreditControl(
        client.rating_group, (), None if status is AcctStatusType.STOP else _ASK_US, (counters,)
    )
    request = ChargingRequest(
        name.session_id,
        _TYPES[status],
        number,
        name.origin_host,
        client.name,
        Service.DATA,
        identities_of(packet),
        # A Start says only that the session is on: what was granted stays.
        () if is_start else (reported,),
        multiple_services=False,
        requested_action=None,
        event_time_s=event_time_s,
        context=NO_CONTEXT,
        fingerprint=_fingerprint(packet, name, status, counters),
        is_cumulative=True,
    )
    opening = None if name.authenticator else _opening(packet, client, request)
    return AccountingReport(name, status, request, opening)


def _opening(packet: Packet, client: Client, request: ChargingRequest) -> ChargingRequest:
    """The INITIAL of a session that nobody asked us to authorise, or of which we lost sight.

    With its Start it begins, else it goes on. A NAS that uses an Acct-Session-Id again begins another life: copies of
    one Start have one Authenticator, or tell by Acct-Delay-Time that they are copies (RFC 2866 section 4.1).
    """
    asked = request.services or (MultipleServicesCreditControl(client.rating_group, (), _ASK_US, ()),)
    return msgspec.structs.replace(
        request,
        request_type=CCRequestType.INITIAL,
        request_number=0,
        services=asked,
        context=context_of(packet),
        # A report is known again by its counters, whichever of its copies comes first.
        retransmitted=bool(request.services or packet.integer(codes.ACCT_DELAY_TIME)),
        end_to_end_id=int.from_bytes(packet.authenticator[:4]),
    )


def _counters(packet: Packet, event_time_s: int | None) -> ServiceUnit:
    received = _octets(packet, codes.ACCT_INPUT_OCTETS, codes.ACCT_INPUT_GIGAWORDS)
    sent = _octets(packet, codes.ACCT_OUTPUT_OCTETS, codes.ACCT_OUTPUT_GIGAWORDS)
    time_s = packet.integer(codes.ACCT_SESSION_TIME)
    return ServiceUnit(received + sent, received, sent, time_s, event_time_s=event_time_s)


def _octets(packet: Packet, low: int, high: int) -> int:
    return (packet.integer(high) or 0) * _WORD + (packet.integer(low) or 0)


def _age(packet: Packet, counters: ServiceUnit) -> int:
    """What grows with each report of a session: its time, or what it has carried where the NAS tells no time."""
    return (
        counters.time_s
        if packet.has(codes.ACCT_SESSION_TIME) and counters.time_s is not None
        else (counters.total_octets or 0)
    )


def _event_time_s(packet: Packet, now_s: int) -> int:
    """When it happened: Event-Timestamp (RFC 2869 section 5.3), else now less Acct-Delay-Time."""
    told_s = packet.integer(codes.EVENT_TIMESTAMP)
    return told_s or now_s - min(packet.integer(codes.ACCT_DELAY_TIME) or 0, now_s)


def _fingerprint(packet: Packet, name: SessionName, status: AcctStatusType, counters: ServiceUnit) -> bytes:
    """Digest of what is charged: equal in every copy, whatever its Identifier, Acct-Delay-Time and proxies."""
    content = (
        name.session_id, status, counters.input_octets, counters.output_octets, counters.time_s,
        packet.first(codes.USER_NAME),
    )  # fmt: skip
    return hashlib.blake2b(repr(content).encode(), digest_size=_FINGERPRINT_OCTETS).digest()
