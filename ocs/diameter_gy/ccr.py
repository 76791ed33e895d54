"""Credit-Control-Request for the server: read one, or only look where it wants to go."""

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import decode_diameter_identity, split_avps
from ocs.diameter_gy.ccr_decoder import CreditControlRequest, Routing
from ocs.diameter_gy.message import HEADER_OCTETS, Header
from ocs.diameter_gy.policy import GyPolicy

__all__ = ["CreditControlRequest", "Routing", "decode_ccr", "routing_of"]


def decode_ccr(message: bytes, header: Header, policy: GyPolicy) -> CreditControlRequest:
    """Read a Credit-Control-Request.

    Routing is judged first (when the policy checks it), then what is malformed, unknown or not allowed, then
    what is missing or wrong: so a request for another node is not refused for content that is none of ours.

    Args:
        message: one whole message; command and application are known to be ours.
        header: its header.
        policy: the operator's.

    Raises:
        DiameterError: with the Result-Code, Failed-AVP and Error-Message for ``encode_error_answer``.
    """
    return policy.decoder.decode(message, header)


def routing_of(message: bytes) -> Routing:
    """Look where any request wants to go and where it has been, without judging its content.

    Raises:
        DiameterError: the AVPs cannot be taken apart, or a name is none.
    """
    host = realm = ""
    route_records: list[str] = []
    for avp in split_avps(message, HEADER_OCTETS):
        if avp.vendor_id:
            continue
        if avp.code == codes.DESTINATION_HOST:
            host = decode_diameter_identity(avp)
        elif avp.code == codes.DESTINATION_REALM:
            realm = decode_diameter_identity(avp)
        elif avp.code == codes.ROUTE_RECORD:
            route_records.append(decode_diameter_identity(avp))
    return Routing(host, realm, tuple(route_records))
