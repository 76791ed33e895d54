"""A Credit-Control-Request as the server keeps it until it is answered."""

import msgspec

from ocs.diameter_gy.grammar import ToleratedAvp
from ocs.messages import ChargingRequest


class CreditControlRequest(msgspec.Struct, frozen=True):
    """A credit-control request: what charging needs, and what its answer must repeat.

    Attributes:
        charging: the neutral request.
        message: all its octets.
        session_id_avp: the first Session-Id as it came, header and padding included.
        sub_session_id: CC-Sub-Session-Id, None when absent.
        proxy_info: all Proxy-Info AVPs as they came, in order (RFC 6733 section 6.2).
        destination_host: empty when absent.
        tolerated: unknown AVPs with the M bit that were let pass, to be counted.
    """

    charging: ChargingRequest
    message: bytes
    session_id_avp: bytes
    flags: int
    application_id: int
    hop_by_hop_id: int
    end_to_end_id: int
    sub_session_id: int | None
    proxy_info: bytes
    destination_host: str
    destination_realm: str
    route_records: tuple[str, ...]
    tolerated: tuple[ToleratedAvp, ...]
