"""The commands between neighbours: capabilities exchange, watchdog, disconnect. Bytes <-> records, no state.

Base AVPs are read leniently where nothing depends on them (real peers leave Host-IP-Address out) and strictly
where identity or applications depend on them.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from ocs.diameter_gy.avp import (
    Avp,
    address,
    decode_diameter_identity,
    decode_unsigned32,
    decode_utf8_string,
    encode_avp,
    enumerated,
    grouped,
    split_avps,
    unsigned32,
    utf8,
)
from ocs.diameter_gy.errors import AvpOccursTooManyTimes, InvalidAvpValue, MissingAvp
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import ERROR, HEADER_OCTETS, PROXIABLE, REQUEST, Header, encode_message
from ocs.limits import MESSAGE_OCTETS_MAX

CAPABILITIES_EXCHANGE: Final = 257
DEVICE_WATCHDOG: Final = 280
DISCONNECT_PEER: Final = 282
CREDIT_CONTROL: Final = 272
RE_AUTH: Final = 258
ABORT_SESSION: Final = 274
BASE_APPLICATION: Final = 0
CREDIT_CONTROL_APPLICATION: Final = 4
RELAY_APPLICATION: Final = 0xFFFFFFFF

SUCCESS: Final = 2001
VENDOR_3GPP: Final = 10415
NO_INBAND_SECURITY: Final = 0
INBAND_TLS: Final = 1

_HOST_IP_ADDRESS: Final = 257
_AUTH_APPLICATION_ID: Final = 258
_ACCT_APPLICATION_ID: Final = 259
_VENDOR_SPECIFIC_APPLICATION_ID: Final = 260
_ORIGIN_HOST: Final = 264
_SUPPORTED_VENDOR_ID: Final = 265
_VENDOR_ID: Final = 266
_FIRMWARE_REVISION: Final = 267
_RESULT_CODE: Final = 268
_PRODUCT_NAME: Final = 269
_DISCONNECT_CAUSE: Final = 273
_ORIGIN_STATE_ID: Final = 278
_FAILED_AVP: Final = 279
_ERROR_MESSAGE: Final = 281
_ORIGIN_REALM: Final = 296
_INBAND_SECURITY_ID: Final = 299

_APPLICATION_IDS: Final = frozenset({_AUTH_APPLICATION_ID, _ACCT_APPLICATION_ID})
_ONCE: Final = frozenset({_ORIGIN_HOST, _ORIGIN_REALM, _ORIGIN_STATE_ID, _PRODUCT_NAME, _DISCONNECT_CAUSE})


_COMMAND_LABELS: Final = {
    CAPABILITIES_EXCHANGE: "CE",
    DEVICE_WATCHDOG: "DW",
    DISCONNECT_PEER: "DP",
    CREDIT_CONTROL: "CC",
    RE_AUTH: "RA",
    ABORT_SESSION: "AS",
}


def command_label(command_code: int) -> str:
    """Name a command for a metric; whatever a stranger makes up is ``other``."""
    return _COMMAND_LABELS.get(command_code, "other")


class DisconnectCause(IntEnum):
    """Disconnect-Cause (RFC 6733 section 5.4.3)."""

    REBOOTING = 0
    BUSY = 1
    DO_NOT_WANT_TO_TALK_TO_YOU = 2


class Origin(NamedTuple):
    """Who sent a base request, and since which loss of state (RFC 6733 section 8.16)."""

    host: str
    realm: str
    state_id: int | None


class CapabilitiesExchangeRequest(NamedTuple):
    """What a peer says of itself in its CER (RFC 6733 section 5.3.1).

    Attributes:
        application_ids: of Auth-, Acct- and Vendor-Specific-Application-Id together; the vendor of the last is
            not used (section 5.3).
        inband_security_ids: empty when the peer names none, which means none (section 6.10).
    """

    origin: Origin
    product_name: str
    vendor_id: int
    application_ids: frozenset[int]
    inband_security_ids: frozenset[int]


# --- Decoding ------------------------------------------------------------------------------------------


def decode_capabilities_exchange_request(message: bytes) -> CapabilitiesExchangeRequest:
    """Read a CER; Host-IP-Address, Vendor-Id and Product-Name may be missing, as nothing depends on them.

    Raises:
        DiameterError: 5005 without Origin-Host or Origin-Realm, 5009 for one of them twice, and what the AVP
            decoders raise (3009, 5004, 5014).
    """
    avps = split_avps(message, HEADER_OCTETS)
    origin = _origin_of(avps)
    product_name, vendor_id = "", 0
    applications: set[int] = set()
    securities: set[int] = set()
    for avp in avps:
        if avp.vendor_id:
            continue
        if avp.code in _APPLICATION_IDS:
            applications.add(decode_unsigned32(avp))
        elif avp.code == _VENDOR_SPECIFIC_APPLICATION_ID:
            applications.update(_vendor_specific_applications(avp))
        elif avp.code == _INBAND_SECURITY_ID:
            securities.add(decode_unsigned32(avp))
        elif avp.code == _PRODUCT_NAME:
            product_name = decode_utf8_string(avp)
        elif avp.code == _VENDOR_ID:
            vendor_id = decode_unsigned32(avp)
    return CapabilitiesExchangeRequest(
        origin, product_name, vendor_id, frozenset(applications), frozenset(securities)
    )


def decode_device_watchdog_request(message: bytes) -> Origin:
    """Read a DWR.

    Raises:
        DiameterError: as :func:`decode_capabilities_exchange_request`.
    """
    return _origin_of(split_avps(message, HEADER_OCTETS))


def decode_disconnect_peer_request(message: bytes) -> DisconnectCause:
    """Read why a peer leaves; a missing cause reads as REBOOTING, as the peer leaves in any case.

    Raises:
        DiameterError: 5004 for an unknown cause, otherwise as :func:`decode_capabilities_exchange_request`.
    """
    avps = split_avps(message, HEADER_OCTETS)
    _origin_of(avps)
    for avp in avps:
        if avp.code == _DISCONNECT_CAUSE and not avp.vendor_id:
            try:
                return DisconnectCause(decode_unsigned32(avp))
            except ValueError:
                raise InvalidAvpValue("Disconnect-Cause is none of 0, 1, 2", avp.encoded) from None
    return DisconnectCause.REBOOTING


def _origin_of(avps: list[Avp]) -> Origin:
    """Find Origin-Host, Origin-Realm and Origin-State-Id.

    Raises:
        MissingAvp: without Origin-Host or Origin-Realm, with an empty one as example (section 7.1.5).
        AvpOccursTooManyTimes: one of those that stand once stands twice.
    """
    once: dict[int, Avp] = {}
    for avp in avps:
        if avp.code in _ONCE and not avp.vendor_id:
            if avp.code in once:
                raise AvpOccursTooManyTimes(f"AVP {avp.code} occurs twice", avp.encoded)
            once[avp.code] = avp
    for code, name in ((_ORIGIN_HOST, "Origin-Host"), (_ORIGIN_REALM, "Origin-Realm")):
        if code not in once:
            raise MissingAvp(f"{name} is missing", encode_avp(code, b""))
    state = once.get(_ORIGIN_STATE_ID)
    return Origin(
        decode_diameter_identity(once[_ORIGIN_HOST]),
        decode_diameter_identity(once[_ORIGIN_REALM]),
        None if state is None else decode_unsigned32(state),
    )


def _vendor_specific_applications(group: Avp) -> set[int]:
    return {
        decode_unsigned32(avp)
        for avp in split_avps(group.data)
        if avp.code in _APPLICATION_IDS and not avp.vendor_id
    }


# --- Encoding ------------------------------------------------------------------------------------------

# Product-Name and Firmware-Revision must not have the M bit (RFC 6733 section 4.5).
_NOT_MANDATORY: Final = 0

# Application 4 both plain and inside Vendor-Specific-Application-Id: Kamailio routes only to a peer that offers the
# second. Inband-Security-Id 0 only: 1 makes freeDiameter start TLS in the middle of the connection and abort.
_CAPABILITIES: Final = (
    unsigned32(_SUPPORTED_VENDOR_ID, VENDOR_3GPP)
    + unsigned32(_AUTH_APPLICATION_ID, CREDIT_CONTROL_APPLICATION)
    + grouped(
        _VENDOR_SPECIFIC_APPLICATION_ID,
        unsigned32(_VENDOR_ID, VENDOR_3GPP),
        unsigned32(_AUTH_APPLICATION_ID, CREDIT_CONTROL_APPLICATION),
    )
    + unsigned32(_INBAND_SECURITY_ID, NO_INBAND_SECURITY)
)


# A longer AVP is not repeated: the rest of an answer takes up to 4 KiB, and no message of ours is over the limit.
_FAILED_AVP_OCTETS_MAX: Final = MESSAGE_OCTETS_MAX - 4_096


class Result(NamedTuple):
    """How a base request ended: Result-Code, Error-Message and the content of Failed-AVP."""

    code: int = SUCCESS
    error_message: str = ""
    failed_avp: bytes = b""

    @property
    def avps(self) -> bytes:
        """Error-Message and Failed-AVP, as far as there are any."""
        message = (
            utf8(_ERROR_MESSAGE, self.error_message, flags=_NOT_MANDATORY) if self.error_message else b""
        )
        fits = 0 < len(self.failed_avp) <= _FAILED_AVP_OCTETS_MAX
        return message + (grouped(_FAILED_AVP, self.failed_avp) if fits else b"")


def encode_capabilities_exchange_answer(
    request: Header,
    identity: NodeIdentity,
    result: Result,
    *,
    host_ip_addresses: tuple[str, ...],
    firmware_revision: int = 0,
) -> bytes:
    """Make the CEA that every known stack accepts, in the order of RFC 6733 section 5.3.2.

    Args:
        request: header of the CER.
        identity: who we are.
        result: success, or why the peer is refused; then it still says who and what we are.
        host_ip_addresses: our end of the connection.
        firmware_revision: 0 leaves Firmware-Revision out.
    """
    state = identity.origin_state_id
    body = b"".join((
        unsigned32(_RESULT_CODE, result.code),
        identity.origin_avps,
        *(address(_HOST_IP_ADDRESS, text) for text in host_ip_addresses),
        unsigned32(_VENDOR_ID, 0),
        utf8(_PRODUCT_NAME, identity.product_name, flags=_NOT_MANDATORY),
        b"" if state is None else unsigned32(_ORIGIN_STATE_ID, state),
        result.avps,
        _CAPABILITIES,
        unsigned32(_FIRMWARE_REVISION, firmware_revision, flags=_NOT_MANDATORY) if firmware_revision else b"",
    ))  # fmt: skip
    return _answer(request, result, body)


def encode_device_watchdog_answer(request: Header, identity: NodeIdentity, result: Result) -> bytes:
    """Make a DWA (RFC 6733 section 5.5.2)."""
    state = identity.origin_state_id
    state_id = b"" if state is None else unsigned32(_ORIGIN_STATE_ID, state)
    origin = unsigned32(_RESULT_CODE, result.code) + identity.origin_avps
    return _answer(request, result, origin + result.avps + state_id)


def encode_disconnect_peer_answer(request: Header, identity: NodeIdentity, result: Result) -> bytes:
    """Make a DPA (RFC 6733 section 5.4.2)."""
    return _answer(
        request, result, unsigned32(_RESULT_CODE, result.code) + identity.origin_avps + result.avps
    )


def encode_device_watchdog_request(identity: NodeIdentity, hop_by_hop_id: int, end_to_end_id: int) -> bytes:
    """Make a DWR (RFC 6733 section 5.5.1)."""
    body = identity.origin_state_avps
    return encode_message(DEVICE_WATCHDOG, 0, REQUEST, hop_by_hop_id, end_to_end_id, body)


def encode_disconnect_peer_request(
    identity: NodeIdentity, cause: DisconnectCause, hop_by_hop_id: int, end_to_end_id: int
) -> bytes:
    """Make a DPR (RFC 6733 section 5.4.1)."""
    body = identity.origin_avps + enumerated(_DISCONNECT_CAUSE, cause)
    return encode_message(DISCONNECT_PEER, 0, REQUEST, hop_by_hop_id, end_to_end_id, body)


def _answer(request: Header, result: Result, body: bytes) -> bytes:
    """Address an answer: the request's identifiers and P bit, E for a protocol error (sections 6.2, 7.2)."""
    flags = request.flags & PROXIABLE | (ERROR if 3000 <= result.code < 4000 else 0)
    return encode_message(
        request.command_code, BASE_APPLICATION, flags, request.hop_by_hop_id, request.end_to_end_id, body
    )
