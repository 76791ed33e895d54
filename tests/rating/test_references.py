from datetime import date

import msgspec
import pytest

from ocs.rating.amounts import Tax
from ocs.rating.conditions import Conditions
from ocs.rating.errors import ExpectationError
from ocs.rating.references import References
from ocs.rating.schema import (
    CatalogueSource,
    CatalogueTable,
    ConditionsTable,
    CounterTable,
    GroupTable,
    NetworkTable,
    PeriodTable,
    TaxTable,
    ZoneTable,
)
from ocs.units import UnitType

SOURCE = CatalogueSource(
    catalogue=CatalogueTable(name="n", currency="EUR", time_zone="UTC", effective=date(2026, 11, 1)),
    zones=(ZoneTable(id="z", name="Zone"), ZoneTable(id="sos", emergency=True)),
    networks=(
        NetworkTable(id="home", prefixes=("26201",), home=True),
        NetworkTable(id="eu", prefixes=("2",)),
    ),
    groups=(GroupTable(id="acme", name="Acme"),),
    periods=(PeriodTable(id="night", name="nights"),),
    counters=(
        CounterTable(id="c", name="minutes", unit="seconds", period="week"),
        CounterTable(id="m", unit="money", period="day"),
    ),
    taxes=(TaxTable(id="standard", rate="7.7", included=False),),
)
REFERENCES = References(SOURCE)


def test_conditions_are_put_into_words() -> None:
    table = ConditionsTable(
        rating_groups=(1,),
        zones=("z", "sos"),
        calling_zones=("z",),
        networks=("eu",),
        roaming=True,
        access_points=("ims",),
        rat_types=("nr", "eutran"),
        roles=("terminating",),
        media=("video",),
        message_types=("submission",),
        applications=("chat",),
        favourites=True,
        groups=("acme",),
        periods=("night",),
    )
    assert REFERENCES.in_words(table) == [
        "to Zone or sos",
        "from Zone",
        "in eu",
        "abroad",
        "over access point ims",
        "by nr or eutran",
        "terminating",
        "with video",
        "of type submission",
        "for chat",
        "with friends & family",
        "within Acme",
        "in nights",
    ]
    assert REFERENCES.in_words(ConditionsTable()) == []
    assert REFERENCES.in_words(ConditionsTable(roaming=False)) == ["in the home network"]


def test_what_is_not_asked_is_no_condition() -> None:
    assert REFERENCES.conditions(ConditionsTable()) == Conditions()


def test_only_a_price_for_emergency_numbers_alone_is_one() -> None:
    assert REFERENCES.conditions(ConditionsTable(zones=("sos",))).is_emergency
    assert not REFERENCES.conditions(ConditionsTable(zones=("sos", "z"))).is_emergency


def test_counters_and_taxes_are_found_by_id() -> None:
    assert REFERENCES.counter("counter", "c").unit_type is UnitType.TIME
    assert REFERENCES.counter("counter", "m").unit_type is UnitType.MONEY
    assert REFERENCES.counter_name("c") == "minutes"
    assert REFERENCES.tax("standard") == Tax("standard", "standard", 77_000, is_included=False)
    assert REFERENCES.tax("other") is None


def test_currency_left_out_is_the_usual_one() -> None:
    assert REFERENCES.currency_of("") == "EUR"
    assert REFERENCES.currency_of("", usual="USD") == "USD"
    assert REFERENCES.currency_of("CHF", usual="USD") == "CHF"
    with pytest.raises(ExpectationError, match="expected an ISO 4217 code"):
        REFERENCES.currency_of("ABC")


@pytest.mark.parametrize("rate", ["-1", "101", "19,0", "1.23456", ""])
def test_tax_that_is_no_percentage_is_refused(rate: str) -> None:
    taxes = (TaxTable(id="t", rate=rate),)
    with pytest.raises(ExpectationError) as caught:
        References(msgspec.structs.replace(SOURCE, taxes=taxes))
    assert caught.value.key == "taxes[t].rate"
