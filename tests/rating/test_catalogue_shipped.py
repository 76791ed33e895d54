"""The catalogue that is delivered: it loads, and typical uses cost what the price list says, to the micro-unit."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ocs.messages import NO_CONTEXT, FinalUnitAction, Service, UsageContext
from ocs.rating import Catalogue, billable_units, price_micro
from ocs.units import UnitType

WORKDAY_NOON = int(datetime(2026, 11, 4, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
WORKDAY_EVENING = WORKDAY_NOON + 9 * 3_600
MIB = 2**20


def cost(catalogue: Catalogue, offer: str, service: Service, units: int, **query: object) -> int:
    rate = catalogue.rate(
        (offer,),
        service,
        query.get("rating_group"),  # type: ignore[arg-type]
        query.get("service_identifiers", ()),  # type: ignore[arg-type]
        UsageContext(str(query.get("called_party", ""))),
        int(str(query.get("at_s", WORKDAY_NOON))),
    )
    assert rate is not None
    billed = billable_units(rate, units)
    return price_micro(rate, 0, billed) + (rate.connection_fee_micro if billed else 0)


@pytest.mark.parametrize("rating_group", [None, 1, 10, 42, 100, 1000])
def test_basic_data_is_a_cent_a_mebibyte_in_any_rating_group(
    shipped: Catalogue, rating_group: int | None
) -> None:
    def price(octets: int) -> int:
        return cost(shipped, "prepaid-basic", Service.DATA, octets, rating_group=rating_group)

    assert price(100 * MIB) == 1_000_000
    assert price(1) == 98  # 10 KiB: 97.65625 micro-units, rounded up
    assert price(10_240) == 98
    assert price(10_241) == 196
    assert price(0) == 0


@pytest.mark.parametrize(("rating_group", "micro"), [(2, 80_469), (3, 50_000), (8, 0), (9, 0)])
def test_basic_data_has_prices_of_its_own_for_some_rating_groups(
    shipped: Catalogue, rating_group: int, micro: int
) -> None:
    assert cost(shipped, "prepaid-basic", Service.DATA, 10 * MIB, rating_group=rating_group) == micro


@pytest.mark.parametrize(
    ("called_party", "seconds", "at_s", "micro"),
    [
        ("4930123456", 1, WORKDAY_NOON, 90_000),
        ("491711234567", 61, WORKDAY_NOON, 91_500),
        ("01711234567", 61, WORKDAY_NOON, 91_500),
        ("491711234567", 61, WORKDAY_EVENING, 50_834),
        ("491711234567", 3_600, WORKDAY_EVENING, 3_000_000),
        ("112", 600, WORKDAY_NOON, 0),
        ("498001234567", 600, WORKDAY_NOON, 0),
        ("33123456789", 10, WORKDAY_NOON, 95_000),
        ("00331234567", 31, WORKDAY_NOON, 98_167),
        ("12025550100", 61, WORKDAY_NOON, 580_000),
        ("819012345678", 61, WORKDAY_NOON, 2_130_000),
        ("881612345678", 1, WORKDAY_NOON, 4_990_000),
        ("4990012345", 61, WORKDAY_NOON, 4_480_000),
        ("alice", 61, WORKDAY_NOON, 91_500),
    ],
)
def test_basic_calls_cost_what_the_destination_says(
    shipped: Catalogue, called_party: str, seconds: int, at_s: int, micro: int
) -> None:
    # As Kamailio sends them, and without any identifier.
    for rating_group, identifiers in ((100, (1000,)), (None, ())):
        charged = cost(
            shipped,
            "prepaid-basic",
            Service.VOICE,
            seconds,
            rating_group=rating_group,
            service_identifiers=identifiers,
            called_party=called_party,
            at_s=at_s,
        )
        assert charged == micro


@pytest.mark.parametrize(
    ("called_party", "micro"),
    [("491711234567", 90_000), ("33123456789", 190_000), ("66055", 2_990_000), ("", 90_000)],
)
def test_basic_messages_cost_what_the_destination_says(
    shipped: Catalogue, called_party: str, micro: int
) -> None:
    assert cost(shipped, "prepaid-basic", Service.SMS, 1, called_party=called_party) == micro
    assert cost(shipped, "prepaid-basic", Service.SMS, 3, called_party=called_party) == 3 * micro


def test_data_offer_has_a_volume_then_money_then_a_page_for_topping_up(shipped: Catalogue) -> None:
    rate = shipped.rate(("prepaid-basic", "prepaid-data-5g"), Service.DATA, 1, (), NO_CONTEXT, WORKDAY_NOON)
    assert rate is not None
    assert rate.path == "prepaid-data-5g/data~bonus-data+home-data"
    assert rate.allowances == {"data", "bonus-data", "home-data"}
    assert rate.price_micro == 5_000
    assert rate.final_unit is not None
    assert rate.final_unit.action == FinalUnitAction.REDIRECT
    offer = shipped.offer("prepaid-data-5g")
    assert offer is not None
    assert {grant.allowance: grant.units for grant in offer.allowances} == {
        "data": 20 * 10**9,
        "night-data": 10 * 10**9,
    }


def test_add_on_s_minutes_pay_for_calls_that_the_other_offer_prices(shipped: Catalogue) -> None:
    rate = shipped.rate(
        ("prepaid-basic", "talk-and-text"), Service.VOICE, None, (), UsageContext("4930123"), WORKDAY_NOON
    )
    assert rate is not None
    assert rate.path.startswith("prepaid-basic/voice-national")
    assert "minutes" in rate.allowances
    offer = shipped.offer("talk-and-text")
    assert offer is not None
    assert [(grant.unit_type, grant.units, grant.validity_days) for grant in offer.allowances] == [
        (UnitType.TIME, 18_000, 28),
        (UnitType.SERVICE_SPECIFIC_UNITS, 300, 28),
    ]


def test_family_pays_by_invoice_up_to_its_limit(shipped: Catalogue) -> None:
    offer = shipped.offer("family-postpaid")
    assert offer is not None
    assert (offer.opening_micro, offer.credit_limit_micro) == (0, 100_000_000)
    assert cost(shipped, "family-postpaid", Service.DATA, 10**9) == 2_000_000
    rate = shipped.rate(("family-postpaid",), Service.DATA, 1, (), NO_CONTEXT, WORKDAY_NOON)
    assert rate is not None
    assert rate.final_unit is not None
    assert rate.final_unit.action == FinalUnitAction.RESTRICT_ACCESS


def test_sensor_never_costs_money(shipped: Catalogue) -> None:
    rate = shipped.rate(("iot-sensor",), Service.DATA, 1, (), NO_CONTEXT, WORKDAY_NOON)
    assert rate is not None
    assert rate.allowance_only
    assert not rate.is_free
    assert "data" in rate.allowances


def test_uncharged_traffic_is_metered_in_large_grants_or_not_at_all(shipped: Catalogue) -> None:
    portal = shipped.rate(("prepaid-basic",), Service.DATA, 9, (), NO_CONTEXT, WORKDAY_NOON)
    signalling = shipped.rate(("prepaid-basic",), Service.DATA, 8, (), NO_CONTEXT, WORKDAY_NOON)
    assert portal is not None
    assert signalling is not None
    assert portal.quota.default_units == 2**30
    assert portal.credit_control_applicable
    assert not signalling.credit_control_applicable
