"""The delivered price book is a real operator's in breadth: every feature that can be written is used in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ocs.rating.catalogue_check import check_catalogue
from ocs.rating.schema import CatalogueSource, ConditionsTable

FOLDER = Path(__file__).resolve().parents[2] / "config" / "catalogue"
# Keys that need not be used, each with the reason.
UNUSED = {
    "CatalogueTable.billing_day": "written, with its usual value",
    "CatalogueTable.tax_class": "written, with its usual value",
}
# Prices, allowances and discounts share their conditions: each must be used by one of them.
CONDITIONS = {field.name for field in msgspec.structs.fields(ConditionsTable)}


def delivered() -> CatalogueSource:
    check = check_catalogue({path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.toml")})
    assert check.source is not None
    return check.source


def tables(value: Any) -> Iterator[msgspec.Struct]:
    """Every table in a source, from the outermost."""
    if isinstance(value, msgspec.Struct):
        yield value
        for field in msgspec.structs.fields(value):
            yield from tables(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from tables(item)


def test_every_key_of_every_table_is_used() -> None:
    known: set[str] = set()
    used: set[str] = set()
    for table in tables(delivered()):
        for field in msgspec.structs.fields(table):
            is_condition = isinstance(table, ConditionsTable) and field.name in CONDITIONS
            owner = ConditionsTable if is_condition else type(table)
            key = f"{owner.__name__}.{field.encode_name}"
            known.add(key)
            if field.required or getattr(table, field.name) != field.default:
                used.add(key)
    assert known - used == UNUSED.keys()


def test_there_are_a_dozen_offers_in_two_currencies_with_every_final_unit() -> None:
    source = delivered()
    assert len(source.offers) >= 12
    assert {offer.currency or source.catalogue.currency for offer in source.offers} == {"EUR", "USD"}
    final_units = [offer.final_unit for offer in source.offers]
    final_units += [price.final_unit for offer in source.offers for price in offer.prices]
    assert {unit.action for unit in final_units if unit} == {"terminate", "redirect", "restrict"}
    assert {unit.redirect_address_type for unit in final_units if unit} - {None} == {
        "ipv4",
        "ipv6",
        "url",
        "sip_uri",
    }
    assert any(unit.qos for unit in final_units if unit)
    assert any(unit.filter_rules for unit in final_units if unit)
    assert any(unit.filter_ids for unit in final_units if unit)


def test_every_way_that_can_be_chosen_is_taken() -> None:
    source = delivered()
    prices = [price for offer in source.offers for price in offer.prices]
    charges = [charge for offer in source.offers for charge in offer.charges]
    grants = [grant for offer in source.offers for grant in offer.allowances]
    assert {price.service for price in prices} == {"data", "voice", "sms", "mms"}
    assert {price.unit for price in prices} >= {"octets", "seconds", "events"}
    assert {role for price in prices for role in price.roles} == {"originating", "terminating", "forwarding"}
    assert {cap.then for price in prices for cap in price.caps} == {"free", "deny", "price"}
    assert {charge.kind for charge in charges} == {"setup", "recurring", "one_off"}
    assert {charge.period for charge in charges} >= {"month", "billing"}
    assert {counter.period for counter in source.counters} == {"day", "week", "month", "billing"}
    assert {counter.unit for counter in source.counters} >= {"money", "octets", "seconds", "events"}
    assert {grant.sharing for grant in grants} == {"each_member", "once"}
    assert {tax.included for tax in source.taxes} == {True, False}
    assert {quota.tariff_switch for quota in source.quotas} == {"validity", "tariff_time_change"}
