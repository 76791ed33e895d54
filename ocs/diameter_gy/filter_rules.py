"""IPFilterRules as the Filter-Rules of RFC 5777, which QoS-Final-Unit-Indication wants (RFC 8506 section 8.68)."""

import re
from ipaddress import ip_network
from typing import Final

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import address, enumerated, grouped, integer32, octet_string, unsigned32

# RFC 6733 section 4.3.1: action direction protocol from source [ports] to destination [ports]. Options of single
# packets (fragments, flags of TCP) have no place in a rule about what a subscriber may still reach.
_SPEC: Final = r"(!?)(\S+)((?: +[0-9][0-9,-]*)?)"
_RULE: Final = re.compile(rf"(permit|deny) +(in|out) +(ip|[0-9]+) +from +{_SPEC} +to +{_SPEC}", re.ASCII)
# Treatment-Action (RFC 5777 section 5) and Direction (section 4).
_ACTIONS: Final = {"deny": 0, "permit": 3}
_DIRECTIONS: Final = {"in": 0, "out": 1}
_PORT_MAX: Final = 65_535


def filter_rule_avp(rule: str, number: int) -> bytes | None:
    """Write an IPFilterRule as a Filter-Rule.

    Args:
        rule: as RFC 6733 section 4.3.1 writes it.
        number: of the rule among its neighbours; names its classifier.

    Returns:
        The AVP; None for a rule that has no such form.

    Source: RFC 5777 sections 3, 4 and 5.
    """
    found = _RULE.fullmatch(" ".join(rule.split()))
    if found is None:
        return None
    action, direction, protocol, *ends = found.groups()
    try:
        specs = _spec(codes.FROM_SPEC, *ends[:3]) + _spec(codes.TO_SPEC, *ends[3:])
    except ValueError:
        return None
    parts = [octet_string(codes.CLASSIFIER_ID, str(number).encode())]
    if protocol != "ip":
        if int(protocol) > 255:
            return None
        parts.append(enumerated(codes.PROTOCOL, int(protocol)))
    parts += [enumerated(codes.DIRECTION, _DIRECTIONS[direction]), specs]
    return grouped(
        codes.FILTER_RULE,
        grouped(codes.CLASSIFIER, *parts),
        enumerated(codes.TREATMENT_ACTION, _ACTIONS[action]),
        flags=0,
    )


def _spec(code: int, negation: str, host: str, ports: str) -> bytes:
    """One end of a rule; ``any`` is every address, ``assigned`` the subscriber's own.

    Raises:
        ValueError: no address, or no port.
    """
    parts: list[bytes] = []
    if host == "assigned":
        parts.append(enumerated(codes.USE_ASSIGNED_ADDRESS, 1))
    elif host != "any":
        network = ip_network(host, strict=False)
        written = address(codes.IP_ADDRESS, str(network.network_address))
        if network.prefixlen < network.max_prefixlen:
            width = unsigned32(codes.IP_BIT_MASK_WIDTH, network.prefixlen)
            written = grouped(codes.IP_ADDRESS_MASK, written, width)
        parts.append(written)
    for text in filter(None, ports.strip().split(",")):
        first, is_range, last = text.partition("-")
        if not is_range:
            parts.append(_port(codes.PORT, first))
        else:
            start, end = _port(codes.PORT_START, first), _port(codes.PORT_END, last)
            parts.append(grouped(codes.PORT_RANGE, start, end))
    if negation:
        parts.append(enumerated(codes.NEGATED, 1))
    return grouped(code, *parts) if parts else b""


def _port(code: int, text: str) -> bytes:
    number = int(text)
    if number > _PORT_MAX:
        raise ValueError(f"port {number}")
    return integer32(code, number)
