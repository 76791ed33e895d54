from collections.abc import Callable
from fractions import Fraction

import msgspec
import pytest

from ocs.messages import Service
from ocs.rating import Catalogue
from ocs.rating.compiler import Tariff, compile_tariff
from ocs.rating.conditions import Circumstances
from ocs.rating.offers import Price
from ocs.rating.resolver import Resolver
from ocs.rating.schema import CatalogueSource

Loader = Callable[..., Catalogue]

BOOK = """
[[zones]]
id = "national"
prefixes = ["49"]

[[zones]]
id = "emergency"
numbers = ["112"]
emergency = true

[[exchange_rates]]
id = "eur-usd"
from = "EUR"
to = "USD"
rate = "1.25"

[[allowances]]
id = "minutes"
unit = "seconds"
services = ["voice"]
zones = ["national"]

[[allowances]]
id = "home-minutes"
unit = "seconds"
services = ["voice"]
zones = ["national"]
message_types = ["x"]

[[discounts]]
id = "third"
percent = "33.3333"

[[offers]]
id = "base"

[[offers.prices]]
id = "call"
service = "voice"
unit = "seconds"
amount = "0.01"
per = 7
connection_fee = "0.000001"

[[offers.prices]]
id = "free"
service = "data"
unit = "octets"
"""


@pytest.fixture
def tariff(load: Loader) -> Tariff:
    return compile_tariff(msgspec.json.decode(load(BOOK).to_bytes(), type=CatalogueSource))


@pytest.fixture
def resolver(tariff: Tariff) -> Resolver:
    return Resolver(tariff, "v", "UTC")


def price(tariff: Tariff, price_id: str) -> Price:
    return next(price for price in tariff.prices["base"] if price.price_id == price_id)


def test_zone_stands_in_the_path_only_where_terms_depend_on_it(tariff: Tariff, resolver: Resolver) -> None:
    call = price(tariff, "call")
    minutes, home = tariff.allowances[1], tariff.allowances[0]
    assert (minutes.allowance_id, home.allowance_id) == ("minutes", "home-minutes")

    def path(zone: str | None, *allowances: str) -> str:
        usable = [a for a in tariff.allowances if a.allowance_id in allowances]
        return resolver.rate(call, None, zone, usable, (), "EUR").path

    assert path("national") == "base/call"
    assert path("national", "minutes") == "base/call>national"
    assert path("national", "home-minutes") == "base/call~home-minutes"
    assert path("emergency") == "base/call>emergency"


def test_rates_of_one_path_are_one_object(tariff: Tariff, resolver: Resolver) -> None:
    call = price(tariff, "call")
    one = resolver.rate(call, 1, None, (), (), "EUR")
    assert resolver.rate(call, 2, "national", (), (), "EUR") is one
    assert resolver.rate_at_path("base/call") is one


def test_allowances_of_a_path_are_those_that_it_was_made_with(tariff: Tariff, resolver: Resolver) -> None:
    for path, allowances in (
        ("base/call", set[str]()),
        ("base/call>national", {"minutes"}),
        ("base/call>national~home-minutes", {"minutes", "home-minutes"}),
        ("base/call~home-minutes", {"home-minutes"}),
    ):
        rate = resolver.rate_at_path(path)
        assert rate is not None
        assert rate.allowances == allowances
    assert Resolver(tariff, "v", "UTC").rate_at_path("base/free~home-minutes") is None


def test_free_service_takes_from_no_allowance(tariff: Tariff, resolver: Resolver) -> None:
    here = Circumstances(zone="national")
    assert resolver.possible_allowances(price(tariff, "free"), None, (), here) == ()
    assert len(resolver.possible_allowances(price(tariff, "call"), None, (), here)) == 1


def test_discount_and_exchange_multiply_the_price_exactly_and_the_fee_up(
    tariff: Tariff, resolver: Resolver
) -> None:
    call = price(tariff, "call")
    rate = resolver.rate(call, None, None, (), (tariff.discounts["third"],), "USD")
    assert rate.path == "base/call%third$USD"
    assert Fraction(rate.price_micro, rate.price_units) == Fraction(10_000, 7) * Fraction(5, 4) * Fraction(
        666_667, 1_000_000
    )
    assert rate.connection_fee_micro == 1
    assert rate.description[1:] == ("discount third: 33.3333 % off", "converted from EUR to USD at 1.25")


def test_price_applies_to_an_account_only_in_its_currency_or_at_a_declared_rate(
    tariff: Tariff, resolver: Resolver
) -> None:
    call, free = price(tariff, "call"), price(tariff, "free")
    assert [resolver.factor(call, currency) for currency in ("EUR", "USD", "GBP")] == [
        1,
        Fraction(5, 4),
        None,
    ]
    assert resolver.factor(free, "GBP") == 1
    assert call.service is Service.VOICE
