from ocs.messages import FinalUnitAction, FinalUnitIndication, Service
from ocs.rating.conditions import Circumstances, Conditions
from ocs.rating.offers import Allowance, Price
from ocs.rating.rate import CounterRule, CountingPeriod
from ocs.units import UnitType

SOMEWHERE = Circumstances()


def make_price(
    conditions: Conditions, *, amount_micro: int = 1, counters: tuple[CounterRule, ...] = ()
) -> Price:
    return Price(
        offer_id="offer",
        price_id="price",
        service=Service.VOICE,
        unit_type=UnitType.TIME,
        conditions=conditions,
        price_micro=amount_micro,
        price_units=1,
        first_units=1,
        step_units=1,
        connection_fee_micro=0,
        allowance_only=False,
        credit_control=True,
        quota=None,
        final_unit=FinalUnitIndication(FinalUnitAction.TERMINATE),
        tax_class="standard",
        description=(),
        counters=counters,
    )


def test_price_without_restrictions_matches_any_use_of_its_service() -> None:
    price = make_price(Conditions())
    assert price.matches(Service.VOICE, None, (), SOMEWHERE)
    assert price.matches(Service.VOICE, 7, (1, 2), Circumstances(zone="national", is_roaming=True))
    assert not price.matches(Service.DATA, None, (), SOMEWHERE)


def test_price_without_amount_and_fee_is_free_unless_it_counts() -> None:
    counter = CounterRule("month", UnitType.TIME, CountingPeriod.MONTH)
    assert make_price(Conditions(), amount_micro=0).is_free
    assert not make_price(Conditions()).is_free
    assert not make_price(Conditions(), amount_micro=0, counters=(counter,)).is_free


def make_allowance(conditions: Conditions) -> Allowance:
    return Allowance(
        allowance_id="minutes",
        name="minutes",
        unit_type=UnitType.TIME,
        services=frozenset({Service.VOICE}),
        conditions=conditions,
        priority=1,
    )


def test_allowance_pays_only_for_its_services_and_unit() -> None:
    allowance = make_allowance(Conditions())
    assert allowance.pays_for(Service.VOICE, UnitType.TIME)
    assert not allowance.pays_for(Service.DATA, UnitType.TIME)
    assert not allowance.pays_for(Service.VOICE, UnitType.TOTAL_OCTETS)


def test_tariff_path_names_allowances_that_zone_and_rating_group_do_not_tell() -> None:
    assert not make_allowance(Conditions()).is_named_in_path
    assert not make_allowance(
        Conditions(zones=frozenset({"z"}), rating_groups=frozenset({1}))
    ).is_named_in_path
    assert make_allowance(Conditions(periods=frozenset({"night"}))).is_named_in_path
    assert make_allowance(Conditions(roaming=False)).is_named_in_path
    assert make_allowance(Conditions(service_identifiers=frozenset({1}))).is_named_in_path
