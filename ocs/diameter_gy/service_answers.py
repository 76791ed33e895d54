"""What a Credit-Control-Answer says of services and money: grants, results, what follows them (RFC 8506 section 8).

3GPP's AVPs go without the M bit, as a strict peer drops an answer that holds one it does not know.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, cast

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import (
    address,
    enumerated,
    grouped,
    integer32,
    integer64,
    time,
    unsigned32,
    unsigned64,
    utf8,
)
from ocs.diameter_gy.dictionary import VENDOR_3GPP
from ocs.diameter_gy.filter_rules import filter_rule_avp
from ocs.limits import CODEC_MEMO_ENTRIES
from ocs.messages import (
    FinalUnitAction,
    FinalUnitIndication,
    Outcome,
    PoolReference,
    RedirectAddressType,
    ServiceAnswer,
    ServiceUnit,
)
from ocs.units import CURRENCY_NUMERIC, Money

RESULT_CODES: Final[dict[Outcome, int]] = {
    Outcome.SUCCESS: 2001,
    Outcome.TOO_BUSY: 3004,
    # The store did not confirm: 3004 rather than 3002, as gateways and agents fail over on it.
    Outcome.UNABLE_TO_DELIVER: 3004,
    Outcome.END_USER_SERVICE_DENIED: 4010,
    Outcome.CREDIT_CONTROL_NOT_APPLICABLE: 4011,
    Outcome.CREDIT_LIMIT_REACHED: 4012,
    Outcome.UNKNOWN_SESSION: 5002,
    Outcome.REPEATED_WITH_OTHER_CONTENT: 5004,
    Outcome.MISSING_SUBSCRIPTION: 5005,
    Outcome.UNABLE_TO_COMPLY: 5012,
    Outcome.USER_UNKNOWN: 5030,
    Outcome.RATING_FAILED: 5031,
}
"""Outcome -> Result-Code, for the command and for each service in it."""

RESULT_AVPS: Final = {outcome: unsigned32(codes.RESULT_CODE, code) for outcome, code in RESULT_CODES.items()}
"""The same, encoded."""

_REDIRECT_EXTENSIONS: Final = {
    RedirectAddressType.IPV4: codes.REDIRECT_ADDRESS_IP_ADDRESS,
    RedirectAddressType.IPV6: codes.REDIRECT_ADDRESS_IP_ADDRESS,
    RedirectAddressType.URL: codes.REDIRECT_ADDRESS_URL,
    RedirectAddressType.SIP_URI: codes.REDIRECT_ADDRESS_SIP_URI,
}


def _services_avp_of(service: ServiceAnswer) -> bytes:
    """One Multiple-Services-Credit-Control, in the order of RFC 8506 section 8.16 and TS 32.299 section 7.2."""
    parts: list[bytes] = []
    if service.granted is not None:
        parts.append(_granted_avp(service.granted, service.tariff_time_change_s))
    parts += [unsigned32(codes.SERVICE_IDENTIFIER, number) for number in service.service_identifiers]
    if service.rating_group is not None:
        parts.append(unsigned32(codes.RATING_GROUP, service.rating_group))
    parts += [_pool_reference_avp(pool) for pool in service.pools]
    if service.validity_time_s is not None:
        parts.append(unsigned32(codes.VALIDITY_TIME, service.validity_time_s))
    parts.append(RESULT_AVPS[service.outcome])
    if service.final_unit is not None:
        parts.append(_final_unit_avps(service.final_unit))
    for code, value in (
        (codes.TIME_QUOTA_THRESHOLD, service.time_quota_threshold_s),
        (codes.VOLUME_QUOTA_THRESHOLD, service.volume_quota_threshold_octets),
        (codes.QUOTA_HOLDING_TIME, service.quota_holding_time_s),
        (codes.QUOTA_CONSUMPTION_TIME, service.quota_consumption_time_s),
    ):
        if value is not None:
            parts.append(unsigned32(code, value, VENDOR_3GPP, flags=0))
    if service.triggers:
        parts.append(_trigger_avp(service.triggers))
    return grouped(codes.MULTIPLE_SERVICES_CREDIT_CONTROL, *parts)


# Few answers differ: a rating group's grant is of the same size until the balance runs low.
services_avp: Final = cast(
    "Callable[[ServiceAnswer], bytes]", lru_cache(CODEC_MEMO_ENTRIES)(_services_avp_of)
)
"""One Multiple-Services-Credit-Control of an answer."""


def plain_avps(service: ServiceAnswer) -> bytes:
    """The same at the level of the command, for a request without Multiple-Services-Credit-Control."""
    parts: list[bytes] = []
    if service.granted is not None:
        parts.append(_granted_avp(service.granted, service.tariff_time_change_s))
    if service.final_unit is not None:
        parts.append(_final_unit_avps(service.final_unit))
    if service.validity_time_s is not None:
        parts.append(unsigned32(codes.VALIDITY_TIME, service.validity_time_s))
    return b"".join(parts)


def _granted_avp(unit: ServiceUnit, tariff_time_change_s: int | None) -> bytes:
    """Granted-Service-Unit; a grant by direction also says its total, without which Open5GS sees no limit."""
    total = unit.total_octets
    if total is None and unit.input_octets is not None and unit.output_octets is not None:
        total = unit.input_octets + unit.output_octets
    parts: list[bytes] = []
    if tariff_time_change_s is not None:
        parts.append(time(codes.TARIFF_TIME_CHANGE, tariff_time_change_s))
    if unit.time_s is not None:
        parts.append(unsigned32(codes.CC_TIME, unit.time_s))
    if unit.money is not None:
        parts.append(grouped(codes.CC_MONEY, amount_avps(unit.money)))
    for code, value in (
        (codes.CC_TOTAL_OCTETS, total),
        (codes.CC_INPUT_OCTETS, unit.input_octets),
        (codes.CC_OUTPUT_OCTETS, unit.output_octets),
        (codes.CC_SERVICE_SPECIFIC_UNITS, unit.service_specific_units),
    ):
        if value is not None:
            parts.append(unsigned64(code, value))
    return grouped(codes.GRANTED_SERVICE_UNIT, *parts)


def _pool_reference_avp(pool: PoolReference) -> bytes:
    """G-S-U-Pool-Reference: Unit-Value is the multiplier (RFC 8506 sections 8.30 to 8.32)."""
    return grouped(
        codes.G_S_U_POOL_REFERENCE,
        unsigned32(codes.G_S_U_POOL_IDENTIFIER, pool.pool_id),
        enumerated(codes.CC_UNIT_TYPE, pool.unit_type),
        _unit_value_avp(pool.multiplier_digits, pool.multiplier_exponent),
    )


def _trigger_avp(triggers: tuple[int, ...]) -> bytes:
    """Trigger: at which changes the gateway shall report (TS 32.299 section 7.2)."""
    types = [enumerated(codes.TRIGGER_TYPE, number, VENDOR_3GPP, flags=0) for number in triggers]
    return grouped(codes.TRIGGER, *types, vendor_id=VENDOR_3GPP, flags=0)


# --- After the last unit -------------------------------------------------------------------------------


def _final_unit_avps(final_unit: FinalUnitIndication) -> bytes:
    """What follows the last units, for every gateway and, where wanted, for those that know QoS filters.

    RFC 8506 section 8.68 advises to send Final-Unit-Indication too, for clients of RFC 4006.
    """
    avps = _final_unit_avp(final_unit)
    if final_unit.is_qos:
        avps += _qos_final_unit_avp(final_unit)
    return avps


def _final_unit_avp(final_unit: FinalUnitIndication) -> bytes:
    """Final-Unit-Indication (RFC 8506 section 8.34); TERMINATE stands alone in it."""
    parts = [enumerated(codes.FINAL_UNIT_ACTION, final_unit.action)]
    if final_unit.action is not FinalUnitAction.TERMINATE:
        parts += [utf8(codes.RESTRICTION_FILTER_RULE, rule) for rule in final_unit.restriction_filter_rules]
        parts += [utf8(codes.FILTER_ID, name) for name in final_unit.filter_ids]
    if final_unit.redirect_address_type is not None:
        parts.append(
            grouped(
                codes.REDIRECT_SERVER,
                enumerated(codes.REDIRECT_ADDRESS_TYPE, final_unit.redirect_address_type),
                utf8(codes.REDIRECT_SERVER_ADDRESS, final_unit.redirect_address),
            )
        )
    return grouped(codes.FINAL_UNIT_INDICATION, *parts)


def _qos_final_unit_avp(final_unit: FinalUnitIndication) -> bytes:
    """QoS-Final-Unit-Indication (RFC 8506 section 8.68); nothing when a rule of ours has no form in it."""
    parts = [enumerated(codes.FINAL_UNIT_ACTION, final_unit.action)]
    if final_unit.action is not FinalUnitAction.TERMINATE:
        for number, rule in enumerate(final_unit.restriction_filter_rules, start=1):
            avp = filter_rule_avp(rule, number)
            if avp is None:
                return b""
            parts.append(avp)
        parts += [utf8(codes.FILTER_ID, name) for name in final_unit.filter_ids]
    kind = final_unit.redirect_address_type
    if kind is not None:
        code, text = _REDIRECT_EXTENSIONS[kind], final_unit.redirect_address
        is_address = code == codes.REDIRECT_ADDRESS_IP_ADDRESS
        server = address(code, text, flags=0) if is_address else utf8(code, text, flags=0)
        parts.append(grouped(codes.REDIRECT_SERVER_EXTENSION, server, flags=0))
    return grouped(codes.QOS_FINAL_UNIT_INDICATION, *parts, flags=0)


# --- Money ---------------------------------------------------------------------------------------------


def amount_avps(money: Money) -> bytes:
    """Unit-Value and Currency-Code: 0.05 is 5 x 10^-2 (RFC 8506 sections 8.8 to 8.11)."""
    digits, exponent = money.micro, -6
    while exponent < 0 and digits % 10 == 0:
        digits, exponent = digits // 10, exponent + 1
    return _unit_value_avp(digits, exponent) + unsigned32(
        codes.CURRENCY_CODE, CURRENCY_NUMERIC[money.currency]
    )


def _unit_value_avp(digits: int, exponent: int) -> bytes:
    return grouped(
        codes.UNIT_VALUE, integer64(codes.VALUE_DIGITS, digits), integer32(codes.EXPONENT, exponent)
    )
