"""What we ask of a gateway about a session of its own accord: Re-Auth-Request and Abort-Session-Request.

The requests of RFC 8506 section 5.5 and RFC 6733 sections 8.3 and 8.5; octets <-> records, no state.
"""

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import (
    decode_unsigned32,
    diameter_identity,
    enumerated,
    split_avps,
    unsigned32,
    unsigned64,
    utf8,
)
from ocs.diameter_gy.base_commands import ABORT_SESSION, CREDIT_CONTROL_APPLICATION, RE_AUTH
from ocs.diameter_gy.errors import DiameterError
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import HEADER_OCTETS, PROXIABLE, REQUEST, RETRANSMITTED, encode_message

_AUTHORIZE_ONLY: Final = 0
_SUB_SESSION: Final = ";sub="


class DemandKind(StrEnum):
    """What the gateway shall do."""

    REAUTHORISE = "reauthorise"  # ask for credit again, and report what was used
    ABORT = "abort"  # end the session


class SessionDemand(msgspec.Struct, frozen=True, array_like=True):
    """Something that the gateway of a session shall do.

    Attributes:
        session_id: as charging knows it; one of a sub-session ends in ``;sub=NUMBER``.
        origin_host: of the gateway; requests of the session came from it, maybe through agents.
        rating_groups: those to be re-authorised, as ``service_identifiers`` and ``pools``; nothing named means all.
    """

    kind: DemandKind
    account_id: str
    session_id: str
    origin_host: str
    origin_realm: str
    rating_groups: tuple[int, ...] = ()
    service_identifiers: tuple[int, ...] = ()
    pools: tuple[int, ...] = ()


class SentDemand(NamedTuple):
    """Identifiers of a request on its way; a copy has another Hop-by-Hop Identifier and the T flag."""

    hop_by_hop_id: int
    end_to_end_id: int
    is_copy: bool = False


COMMANDS: Final = {DemandKind.REAUTHORISE: RE_AUTH, DemandKind.ABORT: ABORT_SESSION}
"""The command by which something is demanded."""


def encode_demand(demand: SessionDemand, identity: NodeIdentity, sent: SentDemand) -> bytes:
    """Write the request; agents route it by Destination-Host (RFC 6733 section 6.1.6)."""
    session_id, sub_session_id = _split_session_id(demand.session_id)
    parts = [
        utf8(codes.SESSION_ID, session_id),
        identity.origin_avps,
        diameter_identity(codes.DESTINATION_REALM, demand.origin_realm),
        diameter_identity(codes.DESTINATION_HOST, demand.origin_host),
        unsigned32(codes.AUTH_APPLICATION_ID, CREDIT_CONTROL_APPLICATION),
    ]
    if demand.kind is DemandKind.REAUTHORISE:
        parts.append(enumerated(codes.RE_AUTH_REQUEST_TYPE, _AUTHORIZE_ONLY))
        if sub_session_id is not None:
            parts.append(unsigned64(codes.CC_SUB_SESSION_ID, sub_session_id))
        parts += [unsigned32(codes.G_S_U_POOL_IDENTIFIER, pool) for pool in demand.pools]
        parts += [unsigned32(codes.SERVICE_IDENTIFIER, number) for number in demand.service_identifiers]
        parts += [unsigned32(codes.RATING_GROUP, number) for number in demand.rating_groups]
    elif sub_session_id is not None:
        parts.append(unsigned64(codes.CC_SUB_SESSION_ID, sub_session_id))
    if identity.origin_state_id is not None:
        parts.append(unsigned32(codes.ORIGIN_STATE_ID, identity.origin_state_id))
    return encode_message(
        COMMANDS[demand.kind],
        CREDIT_CONTROL_APPLICATION,
        REQUEST | PROXIABLE | (RETRANSMITTED if sent.is_copy else 0),
        sent.hop_by_hop_id,
        sent.end_to_end_id,
        b"".join(parts),
    )


def decode_result_code(answer: bytes) -> int:
    """The Result-Code of an answer; 0 when it has none that can be read, as with Experimental-Result alone."""
    try:
        for avp in split_avps(answer, HEADER_OCTETS):
            if avp.code == codes.RESULT_CODE and not avp.vendor_id:
                return decode_unsigned32(avp)
    except DiameterError:
        pass
    return 0


def _split_session_id(session_id: str) -> tuple[str, int | None]:
    """Session-Id and CC-Sub-Session-Id of a session as charging knows it."""
    whole, is_sub, number = session_id.rpartition(_SUB_SESSION)
    return (whole, int(number)) if is_sub and number.isascii() and number.isdigit() else (session_id, None)
