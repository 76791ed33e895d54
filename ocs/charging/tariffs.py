"""Which rate applies: the catalogue in force for new grants, older versions for grants already made."""

from typing import Final

from ocs.limits import CATALOGUES_KEPT
from ocs.rating import Catalogue, QuotaRule, Rate
from ocs.units import UnitType

# With ":" and the currency behind it.
MONEY_PATH: Final = "money"
_UNLIMITED: Final = 1 << 62


def money_rate(catalogue: Catalogue, currency: str) -> Rate:
    """The rate of CC-Money: one micro-unit of money costs one micro-unit (RFC 8506 section 8.22)."""
    quota = QuotaRule(default_units=1, minimum_units=1, maximum_units=_UNLIMITED, validity_time_s=3600)
    return Rate(
        path=f"{MONEY_PATH}:{currency}",
        catalogue_version=catalogue.version,
        unit_type=UnitType.MONEY,
        price_micro=1,
        price_units=1,
        first_units=1,
        step_units=1,
        connection_fee_micro=0,
        currency=currency,
        allowances=frozenset(),
        quota=quota,
        final_unit=None,
        tax_class="",
        time_zone=catalogue.time_zone,
    )


class Tariffs:
    """One snapshot of the catalogues: immutable while a group of requests is decided.

    Attributes:
        rate: finds the rate for a new grant or a one-time event, as :meth:`ocs.rating.Catalogue.rate` does.

    Args:
        current: rates new grants.
        earlier: versions under which open sessions may still hold grants.
    """

    def __init__(self, current: Catalogue, earlier: tuple[Catalogue, ...] = ()) -> None:
        self.current = current
        self.rate: Final = current.rate
        self._by_version = {catalogue.version: catalogue for catalogue in (*earlier, current)}
        self._money: dict[str, Rate] = {}
        # Asked for with every report; there are no more than the catalogues have rates.
        self._held: dict[tuple[str, str], Rate] = {}

    def knows(self, version: str) -> bool:
        """Whether grants made under a version can be priced."""
        return version in self._by_version

    def with_earlier(self, catalogue: Catalogue) -> "Tariffs":
        """The same, and one more version that grants were made under."""
        return Tariffs(self.current, (*self._by_version.values(), catalogue))

    def switched_to(self, catalogue: Catalogue) -> "Tariffs":
        """Another catalogue for new grants, and the last versions for those already made.

        Of one that is older still, whoever meets a grant reads it from the store again.
        """
        return Tariffs(catalogue, tuple(self._by_version.values())[-CATALOGUES_KEPT:])

    @property
    def currency(self) -> str:
        """ISO 4217 code in which everything here is priced."""
        return self.current.currency

    def money(self, currency: str) -> Rate:
        """The rate of CC-Money in an account's currency."""
        rate = self._money.get(currency)
        if rate is None:
            rate = self._money[currency] = money_rate(self.current, currency)
        return rate

    def held_rate(self, version: str, path: str) -> Rate | None:
        """The rate under which an open grant was made; None when its catalogue is not known any more."""
        rate = self._held.get((version, path))
        if rate is None:
            rate = self._find_held_rate(version, path)
            if rate is not None:
                self._held[version, path] = rate
        return rate

    def _find_held_rate(self, version: str, path: str) -> Rate | None:
        kind, _, currency = path.partition(":")
        if kind == MONEY_PATH:
            return self.money(currency or self.currency)
        catalogue = self._by_version.get(version)
        return None if catalogue is None else catalogue.rate_at_path(path)
