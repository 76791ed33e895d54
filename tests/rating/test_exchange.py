from fractions import Fraction

import pytest

from ocs.rating.errors import ExpectationError
from ocs.rating.exchange import ExchangeRates
from ocs.rating.schema import ExchangeRateTable

EUR_USD = ExchangeRateTable(id="eur-usd", source="EUR", target="USD", rate="1.0853")


def test_amount_is_converted_at_the_declared_rate_and_in_its_direction_only() -> None:
    rates = ExchangeRates([EUR_USD])
    assert rates.factor("EUR", "USD") == Fraction(10_853, 10_000)
    assert rates.factor("USD", "EUR") is None
    assert rates.factor("GBP", "USD") is None
    assert rates.factor("GBP", "GBP") == 1


@pytest.mark.parametrize(
    ("tables", "key"),
    [
        ((EUR_USD, ExchangeRateTable(id="x", source="EUR", target="USD", rate="1")), "exchange_rates[x]"),
        ((ExchangeRateTable(id="x", source="EUR", target="EUR", rate="1"),), "exchange_rates[x]"),
        ((ExchangeRateTable(id="x", source="EU", target="EUR", rate="1"),), "exchange_rates[x].from"),
        ((ExchangeRateTable(id="x", source="EUR", target="US", rate="1"),), "exchange_rates[x].to"),
        ((ExchangeRateTable(id="x", source="EUR", target="USD", rate="0"),), "exchange_rates[x].rate"),
        ((ExchangeRateTable(id="x", source="EUR", target="USD", rate="1e3"),), "exchange_rates[x].rate"),
    ],
)
def test_rates_that_cannot_convert_are_refused(tables: tuple[ExchangeRateTable, ...], key: str) -> None:
    with pytest.raises(ExpectationError) as caught:
        ExchangeRates(tables)
    assert caught.value.key == key
