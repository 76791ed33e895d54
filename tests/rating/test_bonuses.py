from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ocs.rating import AllowanceGrant, Bonus, Catalogue, CatalogueError
from ocs.units import Money, UnitType

Loader = Callable[..., Catalogue]

BOOK = """
[[periods]]
id = "happy-hour"
days = ["fri"]
from = "17:00"
to = "18:00"

[[allowances]]
id = "data"
name = "data"
unit = "octets"
services = ["data"]
priority = 7

[[offers]]
id = "base"
[[offers.prices]]
id = "data"
service = "data"
unit = "octets"

[[bonuses]]
id = "ten"
name = "ten from ten"
at_least = "10.00"
at_most = "19.99"
money = "1.00"
valid_days = 30

[[bonuses]]
id = "twenty"
at_least = "20.00"
percent = "12.5"

[[bonuses]]
id = "happy"
at_least = "5.00"
periods = ["happy-hour"]
offers = ["base"]
allowance = "data"
amount = "1 GB"
valid_days = 7

[[bonuses]]
id = "dollars"
at_least = "10.00"
currency = "USD"
money = "2.00"
"""
THURSDAY = int(datetime(2026, 11, 26, 17, 30, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
FRIDAY = THURSDAY + 86_400


@pytest.fixture
def book(load: Loader) -> Catalogue:
    return load(BOOK)


def brought(book: Catalogue, amount: str, *, at: int = THURSDAY, offers: tuple[str, ...] = ()) -> list[str]:
    money, currency = amount.split()
    micro = int(float(money) * 1_000_000)
    return [bonus.bonus_id for bonus in book.bonus_for(Money(micro, currency), at, offers)]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("9.99 EUR", []),
        ("10.00 EUR", ["ten"]),
        ("19.99 EUR", ["ten"]),
        ("19.995 EUR", []),
        ("20.00 EUR", ["twenty"]),
        ("15.00 USD", ["dollars"]),
        ("15.00 CHF", []),
    ],
)
def test_amount_and_currency_of_the_top_up_decide(book: Catalogue, amount: str, expected: list[str]) -> None:
    assert brought(book, amount) == expected


def test_bonus_of_a_happy_hour_is_for_holders_of_the_offer_in_that_hour(book: Catalogue) -> None:
    assert brought(book, "10.00 EUR", at=FRIDAY, offers=("x", "base")) == ["happy", "ten"]
    assert brought(book, "10.00 EUR", at=FRIDAY, offers=("x",)) == ["ten"]
    assert brought(book, "10.00 EUR", at=FRIDAY + 1_800, offers=("base",)) == ["ten"]


def test_bonus_says_what_it_brings_and_for_how_long(book: Catalogue) -> None:
    (ten,) = book.bonus_for(Money(10_000_000, "EUR"), THURSDAY)
    assert ten == Bonus("ten", "ten from ten", 1_000_000, None, 30)
    happy, _ = book.bonus_for(Money(10_000_000, "EUR"), FRIDAY, ("base",))
    assert happy.money_micro == 0
    assert happy.allowance == AllowanceGrant("data", "data", UnitType.TOTAL_OCTETS, 10**9, 7, 7)


def test_share_of_a_top_up_is_rounded_down_to_a_micro_unit(book: Catalogue) -> None:
    (twenty,) = book.bonus_for(Money(20_000_007, "EUR"), THURSDAY)
    assert twenty.money_micro == 2_500_000


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ('at_least = "1"', "bonuses[b]: expected one of money, percent and allowance"),
        ('at_least = "1"\nmoney = "1"\npercent = "5"', "bonuses[b]: expected one of money, percent and"),
        ('at_least = "2"\nat_most = "1"\nmoney = "1"', "bonuses[b].at_most: expected at_least <= at_most"),
        ('at_least = "x"\nmoney = "1"', "bonuses[b].at_least: expected an amount of money"),
        ('at_least = "1"\npercent = "-5"', "bonuses[b].percent: expected percent such as"),
        ('at_least = "1"\nmoney = "1"\namount = 5', "bonuses[b].amount: expected only beside an allowance"),
        ('at_least = "1"\nmoney = "1"\ncurrency = "QQQ"', "bonuses[b].currency: expected an ISO 4217 code"),
        (
            'at_least = "1"\nmoney = "1"\noffers = ["x"]',
            "bonuses[b].offers: expected an existing offer (base), got 'x'",
        ),
        (
            'at_least = "1"\nmoney = "1"\nperiods = ["x"]',
            "bonuses[b].periods: expected an existing period (happy-hour), got 'x'",
        ),
        (
            'at_least = "1"\nallowance = "x"\namount = 1',
            "bonuses[b].allowance: expected an existing allowance (data), got 'x'",
        ),
        ('at_least = "1"\nallowance = "data"', "bonuses[b].amount: expected a whole number of octets"),
    ],
)
def test_bonus_that_cannot_be_given_is_refused(load: Loader, extra: str, line: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        load(f'{BOOK}\n[[bonuses]]\nid = "b"\n{extra}\n')
    assert str(caught.value).startswith(f"lab.toml: {line}"), str(caught.value)
