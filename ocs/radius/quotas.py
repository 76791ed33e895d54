"""A grant in the words that access servers obey: how far the session may go, counted from its beginning.

Session-Timeout is the standard's (RFC 2865 section 5.27); for volume there is none, so the vendors' are sent side by
side: ChilliSpot's (CoovaChilli and what descends from it) and MikroTik's. Who does not know one ignores it (RFC 2865
section 5.26).
"""

from typing import Final

from ocs.messages import ChargingAnswer, ServiceUnit
from ocs.radius import codes
from ocs.radius.packet import integer_attribute, vendor_integer

_WORD: Final = 1 << 32
_VOLUME: Final = (
    (codes.CHILLISPOT_MAX_TOTAL_OCTETS, codes.CHILLISPOT_MAX_TOTAL_GIGAWORDS),
    (codes.MIKROTIK_TOTAL_LIMIT, codes.MIKROTIK_TOTAL_LIMIT_GIGAWORDS),
)


def quota_attributes(answer: ChargingAnswer, counters: ServiceUnit) -> list[bytes]:
    """How far a session may go.

    Args:
        answer: what charging granted.
        counters: what the session has used so far, by the NAS.

    Returns:
        Nothing when nothing is limited; octets of input or output alone limit the total, the only limit that all know.
    """
    granted = answer.services[0].granted if answer.services else None
    if granted is None:
        return []
    attributes: list[bytes] = []
    if granted.time_s is not None:
        limit_s = (counters.time_s or 0) + granted.time_s
        attributes.append(integer_attribute(codes.SESSION_TIMEOUT, limit_s))
    octets = granted.total_octets
    if octets is None and (granted.input_octets is not None or granted.output_octets is not None):
        octets = (granted.input_octets or 0) + (granted.output_octets or 0)
    if octets is not None:
        gigawords, rest = divmod((counters.total_octets or 0) + octets, _WORD)
        for low, high in _VOLUME:
            attributes.append(vendor_integer(low, rest))
            if gigawords:
                attributes.append(vendor_integer(high, gigawords))
    return attributes
