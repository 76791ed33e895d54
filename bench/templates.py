"""Credit-control requests as bytes that are built once and patched per request.

An encoder of its own, independent of the system under test: a mistake shared by both sides would not show. An
UPDATE request is exactly 512 octets with one Multiple-Services-Credit-Control, the size that the goals are
stated for; each further rating group adds nothing but its own.
"""

import struct
from typing import Final

import msgspec

UPDATE_OCTETS: Final = 512

CAPABILITIES_EXCHANGE: Final = 257
CREDIT_CONTROL: Final = 272
DEVICE_WATCHDOG: Final = 280
DISCONNECT_PEER: Final = 282
SUCCESS: Final = 2001

INITIAL: Final = 1
UPDATE: Final = 2
TERMINATION: Final = 3

FLAG_REQUEST: Final = 0x80
FLAG_PROXIABLE: Final = 0x40
FLAG_RETRANSMITTED: Final = 0x10

RESULT_CODE: Final = 268
_MULTIPLE_SERVICES_CREDIT_CONTROL: Final = 456
_VENDOR_3GPP: Final = 10415
_APPLICATION_CREDIT_CONTROL: Final = 4
# Seconds between the NTP epoch of Time AVPs (RFC 6733 section 4.3.1) and 1970.
_NTP_OFFSET_S: Final = 2_208_988_800

HEADER: Final = struct.Struct(">IIIII")
_HEADS: Final = struct.Struct(">II")
_IDENTIFIERS: Final = struct.Struct(">II")
_NUMBER: Final = struct.Struct(">I")
# CC-Total-Octets' value, then the heads and values of CC-Input-Octets and CC-Output-Octets, in one write.
_USED_OCTETS: Final = struct.Struct(">QIIQIIQ")
_AVP_HEAD_16: Final = 0x40000010


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent where: enough for another process to build the same requests.

    Attributes:
        run: number of this run; it makes its Session-Ids unique.
        msisdn_from: E.164 digits of account 0; account i has this plus i. imsi_from likewise.
        rating_groups: each with a Multiple-Services-Credit-Control of its own in every request.
        requested_octets: CC-Total-Octets of each Requested-Service-Unit.
        answer_timeout_s: after this a request is sent again, with the T flag.
        standby_port: on the same host; where connections go when nobody listens on ``port``. 0: there is none.
        pool: one account pays for all of them: a company's SIMs.
    """

    host: str
    port: int
    run: int
    accounts: int = 10_000
    connections: int = 2
    origin_host: str = "gateway.bench.example"
    origin_realm: str = "bench.example"
    destination_realm: str = "lab.example"
    service_context: str = "32251@3gpp.org"
    rating_groups: tuple[int, ...] = (10,)
    msisdn_from: int = 491_720_000_000
    imsi_from: int = 262_010_000_000_000
    requested_octets: int = 1_048_576
    answer_timeout_s: float = 10.0
    pool: bool = False
    standby_port: int = 0


class RequestPlaces(msgspec.Struct, frozen=True):
    """Where in a built request the values stand that change from request to request.

    Attributes:
        used_octets: for each rating group.
    """

    request_number: int
    used_octets: tuple[int, ...]


def session_id(plan: LoadPlan, account: int) -> str:
    """The Session-Id of an account's session (RFC 6733 section 8.8); equally long for all accounts."""
    return f"{plan.origin_host};{plan.run:010d};{account:07d};bench"


def msisdn(plan: LoadPlan, account: int) -> str:
    """E.164 digits of an account's subscriber."""
    return str(plan.msisdn_from + account)


def imsi(plan: LoadPlan, account: int) -> str:
    """IMSI of an account's subscriber."""
    return str(plan.imsi_from + account)


def used_octets(account: int, number: int) -> int:
    """What request ``number`` of an account reports for each rating group: known to generator and auditor alike."""
    return 1_000 + (account * 31 + number * 17) % 1_000


def avp(code: int, data: bytes, *, vendor: int = 0, mandatory: bool = True) -> bytes:
    """One AVP with its padding (RFC 6733 section 4.1)."""
    flags = (0x80 if vendor else 0) | (0x40 if mandatory else 0)
    vendor_field = struct.pack(">I", vendor) if vendor else b""
    length = 8 + len(vendor_field) + len(data)
    return _HEADS.pack(code, flags << 24 | length) + vendor_field + data + b"\0" * (-length % 4)


def unsigned32(code: int, value: int, *, vendor: int = 0) -> bytes:
    """An AVP of type Unsigned32 or Enumerated."""
    return avp(code, _NUMBER.pack(value), vendor=vendor)


def _octets(code: int, value: int) -> bytes:
    return avp(code, struct.pack(">Q", value))


def message(command: int, flags: int, application: int, identifiers: tuple[int, int], avps: bytes) -> bytes:
    """A whole message: header (RFC 6733 section 3) and AVPs; identifiers are hop-by-hop and end-to-end."""
    return HEADER.pack(1 << 24 | 20 + len(avps), flags << 24 | command, application, *identifiers) + avps


def credit_control_request(
    plan: LoadPlan, account: int, request_type: int, event_time_s: int
) -> tuple[bytearray, RequestPlaces]:
    """Build a request of an account's session; identifiers, number and used units are patched in later.

    Returns:
        The message, 512 octets long for an UPDATE of one rating group, and the places to patch.

    Raises:
        ValueError: names of the plan are so long that an UPDATE would not fit.
    """
    before_number = b"".join(
        (
            avp(263, session_id(plan, account).encode()),
            avp(264, plan.origin_host.encode()),
            avp(296, plan.origin_realm.encode()),
            avp(283, plan.destination_realm.encode()),
            unsigned32(258, _APPLICATION_CREDIT_CONTROL),
            avp(461, plan.service_context.encode()),
            unsigned32(416, request_type),
        )
    )
    before_services = b"".join(
        (
            unsigned32(415, 0),
            avp(55, struct.pack(">I", (event_time_s + _NTP_OFFSET_S) & 0xFFFF_FFFF)),
            avp(443, unsigned32(450, 0) + avp(444, msisdn(plan, account).encode())),
            avp(443, unsigned32(450, 1) + avp(444, imsi(plan, account).encode())),
            unsigned32(455, 1),
        )
    )
    head = before_number + before_services
    services = [_service(plan, rating_group, request_type) for rating_group in plan.rating_groups]
    service_octets = len(services[0])
    room = UPDATE_OCTETS - 20 - len(head) - service_octets if request_type == UPDATE else 0
    tail = unsigned32(295, 1) if request_type == TERMINATION else b""  # DIAMETER_LOGOUT
    avps = head + b"".join(services) + tail + _service_information(room)
    # The heads of MSCC, Used-Service-Unit and CC-Total-Octets.
    first_used = 20 + len(head) + 24
    places = RequestPlaces(
        request_number=20 + len(before_number) + 8,
        used_octets=tuple(first_used + place * service_octets for place in range(len(services))),
    )
    flags = FLAG_REQUEST | FLAG_PROXIABLE
    return bytearray(message(CREDIT_CONTROL, flags, _APPLICATION_CREDIT_CONTROL, (0, 0), avps)), places


def _service(plan: LoadPlan, rating_group: int, request_type: int) -> bytes:
    """The Multiple-Services-Credit-Control of a rating group: equally long for all of them."""
    used = avp(446, _octets(421, 0) + _octets(412, 0) + _octets(414, 0))
    requested = avp(437, _octets(421, plan.requested_octets))
    service = unsigned32(432, rating_group)
    if request_type != TERMINATION:
        service = requested + service
    if request_type != INITIAL:
        service = used + service
    return avp(_MULTIPLE_SERVICES_CREDIT_CONTROL, service)


def _service_information(room: int) -> bytes:
    """Service-Information/PS-Information; its access point name is stretched until it fills ``room`` octets."""
    fixed = unsigned32(2, 0x1234, vendor=_VENDOR_3GPP) + avp(18, b"26201", vendor=_VENDOR_3GPP)
    # Two vendor heads and the head of Called-Station-Id.
    name_octets = room - len(fixed) - 12 - 12 - 8 if room else 28
    if name_octets < 1:
        raise ValueError(f"the plan's names are too long for a request of {UPDATE_OCTETS} octets")
    name = b"internet.".ljust(name_octets, b"x")[:name_octets]
    inner = fixed + avp(30, name)
    return avp(873, avp(874, inner, vendor=_VENDOR_3GPP), vendor=_VENDOR_3GPP)


def patch_identifiers(request: bytearray, hop_by_hop: int, end_to_end: int) -> None:
    """Give a request its identifiers."""
    _IDENTIFIERS.pack_into(request, 12, hop_by_hop, end_to_end)


def patch_number(request: bytearray, places: RequestPlaces, number: int) -> None:
    """Give a request its CC-Request-Number."""
    _NUMBER.pack_into(request, places.request_number, number)


def patch_used(request: bytearray, places: RequestPlaces, total: int) -> None:
    """Set the used octets of each rating group: a tenth input, the rest output."""
    received = total // 10
    for place in places.used_octets:
        _USED_OCTETS.pack_into(
            request, place, total, 412, _AVP_HEAD_16, received, 414, _AVP_HEAD_16, total - received
        )


def patch_retransmitted(request: bytearray) -> None:
    """Set the T flag (RFC 6733 section 3)."""
    request[4] |= FLAG_RETRANSMITTED


def capabilities_exchange_request(plan: LoadPlan, address: bytes, identifiers: tuple[int, int]) -> bytes:
    """CER with credit control as Auth-Application-Id.

    Args:
        address: our packed IPv4 or IPv6 address.
    """
    family = b"\0\1" if len(address) == 4 else b"\0\2"
    avps = b"".join(
        (
            avp(264, plan.origin_host.encode()),
            avp(296, plan.origin_realm.encode()),
            avp(257, family + address),
            unsigned32(266, 0),
            avp(269, b"load generator", mandatory=False),
            unsigned32(265, _VENDOR_3GPP),
            unsigned32(258, _APPLICATION_CREDIT_CONTROL),
        )
    )
    return message(CAPABILITIES_EXCHANGE, FLAG_REQUEST, 0, identifiers, avps)


def base_answer(plan: LoadPlan, command: int, identifiers: tuple[int, int]) -> bytes:
    """DWA or DPA: success, and who we are."""
    origin = avp(264, plan.origin_host.encode()) + avp(296, plan.origin_realm.encode())
    return message(command, 0, 0, identifiers, unsigned32(RESULT_CODE, SUCCESS) + origin)
