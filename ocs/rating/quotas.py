"""Quota rules and final unit actions: how large a grant may be and what follows the last one."""

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from ocs.messages import FinalUnitAction, FinalUnitIndication, RedirectAddressType
from ocs.rating.errors import ExpectationError
from ocs.rating.quantities import UNIT_TYPES, dimension, parse_quantity
from ocs.rating.rate import QuotaRule, TariffSwitch
from ocs.rating.schema import FinalUnitTable, QuotaTable
from ocs.units import UnitType

_TERMINATE: Final = FinalUnitIndication(action=FinalUnitAction.TERMINATE)
_ADDRESS_TYPES: Final = {
    "ipv4": RedirectAddressType.IPV4,
    "ipv6": RedirectAddressType.IPV6,
    "url": RedirectAddressType.URL,
    "sip_uri": RedirectAddressType.SIP_URI,
}
# Trigger-Type (TS 32.299 section 7.2.235).
_TRIGGERS: Final = {
    "sgsn": 1,
    "qos": 2,
    "location": 3,
    "rat": 4,
    "time_zone": 5,
    "location_mcc": 30,
    "location_mnc": 31,
    "location_rac": 32,
    "location_lac": 33,
    "location_cell": 34,
    "location_tac": 35,
    "location_ecgi": 36,
    "media": 40,
    "participants": 50,
    "service_condition": 60,
    "serving_node": 61,
}


class QuotaRules:
    """Finds the rule for a price and a rating group."""

    def __init__(self, tables: Iterable[QuotaTable]) -> None:
        """Check and index the rules.

        Raises:
            ExpectationError: a rule contradicts itself or another; the key begins with ``quotas[id]``.
        """
        self._named: dict[tuple[str, str], QuotaRule] = {}
        self._by_group: dict[tuple[str, int], tuple[str, QuotaRule]] = {}
        self._standard: dict[str, tuple[str, QuotaRule]] = {}
        for table in tables:
            try:
                self._add(table, _compile_rule(table))
            except ExpectationError as error:
                raise error.within(f"quotas[{table.id}]") from None
        self.rating_groups: Final = frozenset(group for _, group in self._by_group)

    def _add(self, table: QuotaTable, rule: QuotaRule) -> None:
        self._named[table.unit, table.id] = rule
        if table.standard:
            other, _ = self._standard.setdefault(table.unit, (table.id, rule))
            if other != table.id:
                raise ExpectationError(
                    "standard", f"expected one standard rule for {table.unit}, {other} is one too"
                )
        for group in table.rating_groups:
            other, _ = self._by_group.setdefault((table.unit, group), (table.id, rule))
            if other != table.id:
                raise ExpectationError(
                    "rating_groups", f"expected one rule for {group} and {table.unit}, {other} is one too"
                )

    def named(self, quota_id: str, unit_type: UnitType) -> QuotaRule:
        """The rule that a price names.

        Raises:
            ExpectationError: no such rule for what the price counts.
        """
        rule = self._named.get((dimension(unit_type), quota_id))
        if rule is None:
            known = sorted(name for unit, name in self._named if unit == dimension(unit_type))
            raise ExpectationError(
                "quota", expected_one_of(f"quota for {dimension(unit_type)}", known, quota_id)
            )
        return rule

    def require_standard(self, unit_type: UnitType) -> None:
        """Raise ExpectationError unless every rating group finds a rule for this unit."""
        if dimension(unit_type) not in self._standard:
            raise ExpectationError(
                "quota",
                f"expected the id of a quota, or a quota with standard = true for {dimension(unit_type)}",
            )

    def rule(self, unit_type: UnitType, rating_group: int | None) -> QuotaRule:
        """The rule for a price that names none: the rating group's, else the standard one."""
        counted = dimension(unit_type)
        if rating_group is not None and (counted, rating_group) in self._by_group:
            return self._by_group[counted, rating_group][1]
        return self._standard[counted][1]


def expected_one_of(kind: str, known: Iterable[str], got: str) -> str:
    """Say that a reference leads nowhere, and where it could lead."""
    names = ", ".join(sorted(known))
    return f"expected an existing {kind} ({names or 'none is defined'}), got {got!r}"


def _compile_rule(table: QuotaTable) -> QuotaRule:
    unit_type = UNIT_TYPES[table.unit]
    rule = QuotaRule(
        default_units=parse_quantity("default", table.default, unit_type),
        minimum_units=parse_quantity("minimum", table.minimum, unit_type),
        maximum_units=parse_quantity("maximum", table.maximum, unit_type),
        validity_time_s=parse_quantity("validity_time", table.validity_time, UnitType.TIME),
        volume_quota_threshold_octets=_threshold(
            "volume_threshold", table.volume_threshold, UnitType.TOTAL_OCTETS
        ),
        time_quota_threshold_s=_threshold("time_threshold", table.time_threshold, UnitType.TIME),
        quota_holding_time_s=_time("holding_time", table.holding_time),
        quota_consumption_time_s=_time("consumption_time", table.consumption_time),
        triggers=tuple(_TRIGGERS[name] for name in table.triggers),
        pool_id=table.pool,
        tariff_switch=TariffSwitch(table.tariff_switch),
    )
    if rule.quota_consumption_time_s is not None and table.unit != "seconds":
        raise ExpectationError(
            "consumption_time", f"expected only where the unit is seconds, here it is {table.unit}"
        )
    if not rule.minimum_units <= rule.default_units <= rule.maximum_units:
        raise ExpectationError("default", "expected minimum <= default <= maximum")
    for key, threshold, counted in (
        ("volume_threshold", rule.volume_quota_threshold_octets, "octets"),
        ("time_threshold", rule.time_quota_threshold_s, "seconds"),
    ):
        if threshold is None:
            continue
        if counted != table.unit:
            raise ExpectationError(key, f"expected only where the unit is {counted}, here it is {table.unit}")
        if threshold >= rule.default_units:
            raise ExpectationError(key, "expected less than default, or the gateway asks again at once")
    return rule


def _threshold(key: str, written: int | str | None, unit_type: UnitType) -> int | None:
    return None if written is None else parse_quantity(key, written, unit_type)


def _time(key: str, written: int | str | None) -> int | None:
    return None if written is None else parse_quantity(key, written, UnitType.TIME, least=0)


def compile_final_unit(table: FinalUnitTable | None) -> FinalUnitIndication:
    """Read what follows the last grant; terminate when nothing is said.

    Raises:
        ExpectationError: the action and its details do not go together.
    """
    if table is None:
        return _TERMINATE
    _check_details(table)
    match table.action:
        case "terminate":
            return _TERMINATE
        case "redirect":
            return FinalUnitIndication(
                action=FinalUnitAction.REDIRECT,
                redirect_address_type=_redirect_type(table),
                redirect_address=table.redirect_address,
                restriction_filter_rules=table.filter_rules,
                filter_ids=table.filter_ids,
                is_qos=table.qos,
            )
        case "restrict":
            return FinalUnitIndication(
                action=FinalUnitAction.RESTRICT_ACCESS,
                restriction_filter_rules=table.filter_rules,
                filter_ids=table.filter_ids,
                is_qos=table.qos,
            )


def _check_details(table: FinalUnitTable) -> None:
    if table.action != "redirect" and (table.redirect_address or table.redirect_address_type):
        raise ExpectationError("redirect_address", "expected only with action = 'redirect'")
    if table.action == "terminate" and table.qos:
        raise ExpectationError("qos", "expected only with action 'redirect' or 'restrict'")
    if table.action == "terminate" and (table.filter_rules or table.filter_ids):
        raise ExpectationError("filter_rules", "expected filters only with action 'redirect' or 'restrict'")
    if table.action == "restrict" and not (table.filter_rules or table.filter_ids):
        raise ExpectationError("filter_rules", "expected filter_rules or filter_ids with action = 'restrict'")
    for rule in table.filter_rules:
        # IPFilterRule, RFC 6733 section 4.3.1.
        if rule.split()[:1] not in (["permit"], ["deny"]) or " from " not in rule or " to " not in rule:
            raise ExpectationError(
                "filter_rules", f"expected rules such as 'permit out ip from 192.0.2.1 to any', got {rule!r}"
            )


def _redirect_type(table: FinalUnitTable) -> RedirectAddressType:
    if table.redirect_address_type is None:
        raise ExpectationError(
            "redirect_address_type", "expected ipv4, ipv6, url or sip_uri with a redirection"
        )
    address = table.redirect_address
    address_type = _ADDRESS_TYPES[table.redirect_address_type]
    try:
        match address_type:
            case RedirectAddressType.IPV4:
                IPv4Address(address)
                valid = True
            case RedirectAddressType.IPV6:
                IPv6Address(address)
                valid = True
            case RedirectAddressType.URL:
                valid = address.startswith(("http://", "https://"))
            case RedirectAddressType.SIP_URI:
                valid = address.startswith(("sip:", "sips:"))
    except AddressValueError:
        valid = False
    if not valid:
        raise ExpectationError(
            "redirect_address", f"expected an address of type {table.redirect_address_type}"
        )
    return address_type
