"""What a top-up brings besides itself."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final

import msgspec

from ocs.rating.amounts import scaled_down
from ocs.rating.errors import ExpectationError
from ocs.rating.offers import Allowance, AllowanceGrant, Bonus
from ocs.rating.periods import Calendar
from ocs.rating.quantities import parse_amount, parse_percent, parse_quantity
from ocs.rating.quotas import expected_one_of
from ocs.rating.references import References
from ocs.rating.schema import BonusTable
from ocs.units import Money

_PERCENT_MAX: Final = 1_000


class BonusRule(msgspec.Struct, frozen=True):
    """When a top-up brings something, and what.

    Attributes:
        at_least_micro: smallest top-up, at_most_micro: largest, None for any.
        share: of the top-up, in money.
    """

    bonus: Bonus
    currency: str
    at_least_micro: int
    at_most_micro: int | None
    offers: frozenset[str]
    periods: frozenset[str]
    share: Fraction

    def for_top_up(self, amount: Money, offers: tuple[str, ...], active: frozenset[str]) -> Bonus | None:
        """What a top-up brings by this rule, None when it does not hold."""
        if (
            amount.currency != self.currency
            or amount.micro < self.at_least_micro
            or (self.at_most_micro is not None and amount.micro > self.at_most_micro)
            or (self.offers and self.offers.isdisjoint(offers))
            or (self.periods and self.periods.isdisjoint(active))
        ):
            return None
        money = self.bonus.money_micro + scaled_down(amount.micro, self.share)
        return msgspec.structs.replace(self.bonus, money_micro=money)


def bonuses_for(
    rules: Iterable[BonusRule], calendar: Calendar, top_up: Money, at_s: int, offers: tuple[str, ...]
) -> tuple[Bonus, ...]:
    """Everything that a top-up brings at a moment, in the order of the bonuses' ids."""
    active = calendar.segment(at_s)[1]
    found = (rule.for_top_up(top_up, offers, active) for rule in rules)
    return tuple(bonus for bonus in found if bonus is not None)


def compile_bonus(
    table: BonusTable, references: References, allowances: Mapping[str, Allowance], offers: Iterable[str]
) -> BonusRule:
    """Read a bonus.

    Raises:
        ExpectationError: it brings nothing, or more than one thing, or a reference leads nowhere.
    """
    if sum(map(bool, (table.money, table.percent, table.allowance))) != 1:
        raise ExpectationError("", "expected one of money, percent and allowance")
    known = tuple(offers)
    for offer_id in table.offers:
        if offer_id not in known:
            raise ExpectationError("offers", expected_one_of("offer", known, offer_id))
    at_least = parse_amount("at_least", table.at_least)
    at_most = parse_amount("at_most", table.at_most) if table.at_most else None
    if at_most is not None and at_most < at_least:
        raise ExpectationError("at_most", "expected at_least <= at_most")
    name = table.name or table.id
    money = parse_amount("money", table.money) if table.money else 0
    share = parse_percent("percent", table.percent, most=_PERCENT_MAX) if table.percent else Fraction(0)
    grant = _grant(table, allowances) if table.allowance else None
    if table.amount and grant is None:
        raise ExpectationError("amount", "expected only beside an allowance")
    return BonusRule(
        bonus=Bonus(table.id, name, money, grant, table.valid_days),
        currency=references.currency_of(table.currency),
        at_least_micro=at_least,
        at_most_micro=at_most,
        offers=frozenset(table.offers),
        periods=references.periods(table.periods),
        share=share,
    )


def _grant(table: BonusTable, allowances: Mapping[str, Allowance]) -> AllowanceGrant:
    allowance = allowances.get(table.allowance)
    if allowance is None:
        raise ExpectationError("allowance", expected_one_of("allowance", allowances, table.allowance))
    return AllowanceGrant(
        allowance=table.allowance,
        name=allowance.name,
        unit_type=allowance.unit_type,
        units=parse_quantity("amount", table.amount, allowance.unit_type),
        validity_days=table.valid_days,
        priority=allowance.priority,
    )
