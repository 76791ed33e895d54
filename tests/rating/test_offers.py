from ocs.messages import FinalUnitAction, FinalUnitIndication, Service
from ocs.rating.offers import Allowance, Price
from ocs.units import UnitType


def make_price(
    *,
    rating_groups: tuple[int, ...] = (),
    service_identifiers: tuple[int, ...] = (),
    zones: tuple[str, ...] = (),
    periods: tuple[str, ...] = (),
    amount_micro: int = 1,
) -> Price:
    return Price(
        offer_id="offer",
        price_id="price",
        service=Service.VOICE,
        unit_type=UnitType.TIME,
        rating_groups=frozenset(rating_groups),
        service_identifiers=frozenset(service_identifiers),
        zones=frozenset(zones),
        periods=frozenset(periods),
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
    )


def test_destination_then_service_identifier_then_rating_group_then_time_make_a_price_specific() -> None:
    general = make_price()
    timed = make_price(periods=("night",))
    grouped = make_price(rating_groups=(1,))
    grouped_timed = make_price(rating_groups=(1,), periods=("night",))
    identified = make_price(service_identifiers=(1000,))
    zoned = make_price(zones=("national",))
    ranked = [general, timed, grouped, grouped_timed, identified, zoned]
    assert sorted(ranked, key=lambda price: price.specificity) == ranked


def test_price_without_restrictions_matches_any_use_of_its_service() -> None:
    price = make_price()
    assert price.matches(Service.VOICE, None, (), None)
    assert price.matches(Service.VOICE, 7, (1, 2), "national")
    assert not price.matches(Service.DATA, None, (), None)


def test_price_matches_only_what_each_of_its_restrictions_admits() -> None:
    price = make_price(rating_groups=(100,), service_identifiers=(1000, 1001), zones=("national",))
    assert price.matches(Service.VOICE, 100, (1000,), "national")
    assert price.matches(Service.VOICE, 100, (5, 1001), "national")
    assert not price.matches(Service.VOICE, None, (1000,), "national")
    assert not price.matches(Service.VOICE, 100, (), "national")
    assert not price.matches(Service.VOICE, 100, (1000,), "mobile")
    assert not price.matches(Service.VOICE, 100, (1000,), None)


def test_price_without_amount_and_fee_is_free() -> None:
    assert make_price(amount_micro=0).is_free
    assert not make_price().is_free


def test_allowance_pays_only_for_its_services_units_groups_and_zones() -> None:
    allowance = Allowance(
        allowance_id="minutes",
        name="minutes",
        unit_type=UnitType.TIME,
        services=frozenset({Service.VOICE}),
        rating_groups=frozenset({100}),
        zones=frozenset({"national"}),
        periods=frozenset(),
        priority=1,
    )
    assert allowance.may_pay(Service.VOICE, UnitType.TIME, 100, "national")
    assert not allowance.may_pay(Service.DATA, UnitType.TIME, 100, "national")
    assert not allowance.may_pay(Service.VOICE, UnitType.TOTAL_OCTETS, 100, "national")
    assert not allowance.may_pay(Service.VOICE, UnitType.TIME, None, "national")
    assert not allowance.may_pay(Service.VOICE, UnitType.TIME, 100, None)
