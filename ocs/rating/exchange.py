"""Prices of one currency for accounts of another: only at a rate that the operator declared."""

from collections.abc import Iterable
from fractions import Fraction

from ocs.rating.errors import ExpectationError
from ocs.rating.quantities import parse_exchange_rate
from ocs.rating.schema import ExchangeRateTable
from ocs.units import CURRENCY_NUMERIC


class ExchangeRates:
    """The declared rates; there is no way through a third currency, nor back."""

    def __init__(self, tables: Iterable[ExchangeRateTable]) -> None:
        """Index the rates.

        Raises:
            ExpectationError: a currency or rate is none, or stands twice; the key begins with
                ``exchange_rates[id]``.
        """
        self._factors: dict[tuple[str, str], Fraction] = {}
        for table in tables:
            key = f"exchange_rates[{table.id}]"
            for name, currency in (("from", table.source), ("to", table.target)):
                if currency not in CURRENCY_NUMERIC:
                    raise ExpectationError(
                        f"{key}.{name}", f"expected an ISO 4217 code such as EUR, got {currency!r}"
                    )
            pair = (table.source, table.target)
            if pair in self._factors or table.source == table.target:
                raise ExpectationError(key, "expected two currencies that no other entry has")
            self._factors[pair] = parse_exchange_rate(f"{key}.rate", table.rate)

    def factor(self, source: str, target: str) -> Fraction | None:
        """By what an amount is multiplied, None when no rate is declared."""
        return Fraction(1) if source == target else self._factors.get((source, target))
